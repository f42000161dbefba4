@testable import Flux2
import FluxModels
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@Suite("Images in pieces")
struct TilingTests {
    private func autoencoder() throws -> Autoencoder {
        try TinyModel(path: Reference.ownModel("tiny-klein")).autoencoder()
    }

    private func random(_ shape: [Int], _ dtype: DType) throws -> Tensor {
        try .randn(shape, generator: Generator(seed: 5), dtype: dtype)
    }

    /// The largest difference of two images, in 8-bit levels.
    private func levels(_ a: Tensor, _ b: Tensor) throws -> Double {
        let (a, b) = try (a.clamped(to: -1...1), b.clamped(to: -1...1))
        return try (a.to(dtype: .float32) - b.to(dtype: .float32)).abs().maximum().item() * 127.5
    }

    /// Types, and the kernels that compute them.
    private static let ways: [(DType, KernelSet)] =
        [(.float32, .reference), (.bfloat16, .reference)]
        + (KernelSet.current >= .direct ? [(.bfloat16, .direct), (.bfloat16, .best)] : [])

    @Test(arguments: ways)
    func stripsDecodeToTheImageOfTheWhole(dtype: DType, kernels: KernelSet) throws {
        try KernelSet.limited(to: kernels) { try withoutGradients { try decodeInStrips(dtype) } }
    }

    private func decodeInStrips(_ dtype: DType) throws {
        let model = try autoencoder()
        // Odd numbers of rows per strip come from odd widths.
        for (height, width) in [(24, 40), (50, 14)] {
            let latents = try random([1, 32, height, width], dtype)
            let whole = try model.decode(unpatched: latents)
            for held in [0, 1 << 14, 1 << 30] {
                let strips = Strips(heldBytes: held, wholeBytes: 0, stripBytes: 1 << 14)
                let found = try strips.decode(unpatched: latents, model)
                #expect(found.dtype == whole.dtype)
                // Convolutions in float32 choose their order by the size of what they get.
                let distance = try levels(found, whole)
                #expect(distance <= (dtype == .bfloat16 ? 0 : 0.01), "\(distance)")
            }
        }
    }

    @Test(arguments: ways)
    func stripsEncodeToTheLatentsOfTheWhole(dtype: DType, kernels: KernelSet) throws {
        try KernelSet.limited(to: kernels) { try withoutGradients { try encodeInStrips(dtype) } }
    }

    private func encodeInStrips(_ dtype: DType) throws {
        let model = try autoencoder()
        let image = try random([1, 3, 208, 112], dtype).clamped(to: -1...1)
        let whole = try model.moments(of: image)
        let found = try Strips(heldBytes: 0, wholeBytes: 0, stripBytes: 1 << 13).moments(
            of: image, model)
        let distance = try (found - whole).abs().maximum().item()
        let scale = try whole.abs().maximum().item()
        // Without AVX-512 libtorch adds up a norm's sums by pieces that depend on the map's size.
        let rounding = Runtime.cpuCapability == "AVX512" ? 0 : 0x1p-8 * scale
        #expect(distance <= (dtype == .bfloat16 ? rounding : 1e-5 * scale))
    }

    /// `FLUX2_REAL_MODEL` names one with weights of its own; random ones draw a smaller image. Bit for bit
    /// where kernels or AVX-512 compute bfloat16, else in float32, which add up in another order.
    @Test func stripsOfAModelOfRealShapesAreTheWhole() throws {
        let real = ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"]
        try withoutGradients {
            let model =
                try real.map { try TinyModel(path: $0).autoencoder() }
                ?? TinyModel.randomAutoencoder().0
            let (height, width) = real == nil ? (16, 12) : (64, 48)
            let dtype = Runtime.cpuHasBFloat16 ? DType.bfloat16 : .float32
            let latents = try random([1, 32, height, width], dtype)
            let strips = Strips(
                heldBytes: 1 << 20, wholeBytes: 2 * 512 * height * width, stripBytes: 1 << 20)
            let found = try strips.decode(unpatched: latents, model)
            let distance = try levels(found, model.decode(unpatched: latents))
            #expect(distance <= (Runtime.cpuHasBFloat16 ? 0 : 0.01), "\(distance)")
        }
    }

    @Test func featheredTilesOfOneTileAreTheWhole() throws {
        try withoutGradients {
            let model = try autoencoder()
            let latents = try random([1, 32, 16, 12], .float32)
            let found = try FeatheredTiles(size: 16, stride: 8).decode(unpatched: latents, model)
            #expect(try levels(found, model.decode(unpatched: latents)) < 1e-3)
        }
    }

    /// Values computed here in the plainest way: every tile by itself, weights place by place.
    @Test func featheredTilesAreWeightedMeans() throws {
        try withoutGradients {
            let model = try autoencoder()
            let latents = try random([1, 32, 20, 8], .float32)
            let tiles = FeatheredTiles(size: 12, stride: 8)
            let found = try tiles.decode(unpatched: latents, model)
            #expect(tiles.count(latentHeight: 20, latentWidth: 8) == 2)
            let parts = try [0..<12, 8..<20].map {
                try model.decode(unpatched: latents.slice($0, along: 2))
            }
            let border = 32.0
            for row in [0, 63, 64, 70, 95, 96, 159] {
                let above = row < 96 ? (row < 64 ? 1 : (96 - Double(row)) / border) : 0
                let below = row >= 64 ? (row >= 96 ? 1 : (Double(row) - 63) / border) : 0
                var expected = try Tensor.zeros([1, 3, 1, 64])
                if above > 0 {
                    expected = try expected + parts[0].slice(row..<row + 1, along: 2) * above
                }
                if below > 0 {
                    expected =
                        try expected
                        + parts[1].slice(row - 64..<row - 63, along: 2) * below
                }
                expected = try expected / (above + below)
                #expect(try levels(found.slice(row..<row + 1, along: 2), expected) < 1e-2)
            }
        }
    }

    @Test func automaticTilingIsTheWholeWhereThereIsRoom() throws {
        let model = try autoencoder()
        guard case .whole = try Tiling.automatic.resolved(model, 64, 64, .cpu) else {
            Issue.record("a small image in pieces")
            return
        }
        guard case .strips = try Tiling.automatic.resolved(model, 1 << 20, 1 << 20, .cpu) else {
            Issue.record("a terapixel as a whole")
            return
        }
    }
}
