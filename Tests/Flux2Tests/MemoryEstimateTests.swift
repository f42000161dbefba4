@testable import Flux2
import Imaging
import TestSupport
import Testing
import Torch

@Suite("The plan of memory")
struct MemoryPlanTests {
    private func plan(
        _ kind: Device.Kind = .cpu, _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> MemoryEstimate {
        var request = GenerationRequest(prompt: "a fox", seed: 1)
        change(&request)
        let model = try MemoryEstimateInput.Model(
            ModelFiles(model: Reference.ownModel("tiny-klein")))
        return try MemoryEstimate(
            MemoryEstimateInput(request, model: model, dtype: .float32, threads: 2),
            deviceKind: kind,
            allocator: .pooled)
    }

    @Test func hasTheStagesThatTheRequestPasses() throws {
        #expect(try plan().stages.map(\.stage) == [.encode, .denoise, .decode])
        let edited = try plan {
            $0.editImages = [Image(width: 64, height: 64, red: 1, green: 2, blue: 3)]
        }
        #expect(edited.stages.map(\.stage) == [.encode, .images, .denoise, .decode])
    }

    @Test func largerImagesTakeMore() throws {
        let (small, large) = try (plan { $0.height = 512 }, plan())
        for (a, b) in zip(small.stages, large.stages) where a.stage != .encode {
            #expect(a.bytes < b.bytes)
        }
    }

    @Test func referencesTakeMoreInDenoising() throws {
        let edited = try plan {
            $0.editImages = [Image(width: 512, height: 512, red: 1, green: 2, blue: 3)]
        }
        let (alone, beside) = try (plan()[.denoise], edited[.denoise])
        #expect(try #require(alone).bytes < #require(beside).bytes)
    }

    @Test func stripsAndTilesTakeLessInDecoding() throws {
        func decoding(_ tiling: Tiling) throws -> Int {
            try #require(
                plan { request in
                    (request.height, request.width) = (2048, 2048)
                    request.tiling = tiling
                }[.decode]
            ).bytes
        }
        let whole = try decoding(.off)
        #expect(try decoding(.strips) < whole)
        #expect(try decoding(.feathered(.init(size: 64, stride: 32))) < whole)
        #expect(try decoding(.overlapping(.init(imageTile: 512, latentTile: 64))) < whole)
    }

    @Test func onGPUsTensorsAloneAreCounted() throws {
        let (host, device) = try (plan(), plan(.cuda))
        for (a, b) in zip(host.stages, device.stages) {
            #expect(b.base == 0 && b.activations <= a.activations)
        }
    }
}
