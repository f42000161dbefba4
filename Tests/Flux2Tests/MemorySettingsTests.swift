@testable import Flux2
import FluxModels
import Foundation
import Imaging
@testable import Offloading
import TestSupport
import Testing
@testable import Torch

@Suite("Memory that is limited", .serialized)
struct MemorySettingsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func request() -> GenerationRequest {
        var request = GenerationRequest(prompt: "a red fox", seed: 3)
        (request.height, request.width, request.steps) = (64, 96, 2)
        return request
    }

    private func engine(
        _ memory: MemorySettings, model: String? = nil, cache: WeightCache? = nil,
        dtype: DType = .bfloat16
    ) throws -> Engine {
        Engine(
            try ModelFiles(model: model ?? Reference.ownModel("tiny-klein")), dtype: dtype,
            memory: memory, weightCache: cache)
    }

    // MARK: DiffSynth's values

    private func read(_ json: String) throws -> MemorySettings {
        let path = folder.file("vram.json")
        try json.write(toFile: path, atomically: true, encoding: .utf8)
        let found = try StageStorage.read(path, dtype: .bfloat16, device: .cpu)
        return try MemorySettings(
            found.components, limit: found.limit, device: .cpu, dtype: .bfloat16)
    }

    @Test("may be said in DiffSynth's words")
    func mayBeSaidInDiffSynthsWords() throws {
        let values = """
            "offload_dtype": "disk", "offload_device": "disk",
            "onload_dtype": "torch.float8_e4m3fn", "onload_device": "cpu",
            "preparing_dtype": "float8_e4m3fn", "preparing_device": "cpu",
            "computation_dtype": "bfloat16", "computation_device": "cpu"
            """
        let all = try read("{\(values), \"vram_limit\": 1.5}")
        #expect(all.deviceLimit == 3 << 29)
        #expect(all.storage[.transformer] == .float8 && all.storage[.autoencoder] == .float8)
        let some = try read("{\"dit\": {\(values)}, \"vram_limit\": null}")
        #expect(some.storage == [.transformer: .float8] && some.deviceLimit == nil)
        // Without both offload values DiffSynth leaves a model alone.
        let none = try read("{\"offload_dtype\": \"bfloat16\"}")
        #expect(none == MemorySettings())
        // What is not given is as computation has it, or as the pipeline.
        let short = try read("{\"offload_dtype\": \"float8_e4m3fn\", \"offload_device\": \"cpu\"}")
        #expect(short.storage[.transformer] == .float8)
    }

    @Test(
        "refuse what they cannot mean",
        arguments: [
            ("[]", "must be a JSON object"),
            ("{\"offload_typ\": \"disk\"}", "offload_typ"),
            ("{\"offload_dtype\": \"float9\", \"offload_device\": \"cpu\"}", "not float9"),
            ("{\"offload_dtype\": \"disk\", \"offload_device\": \"cpu\"}", "for both"),
            ("{\"vram_limit\": \"much\"}", "a number from 0"),
            ("{\"transformer\": {}, \"vea\": {}}", "vea"),
            (
                """
                {"offload_dtype": "disk", "offload_device": "disk",
                 "computation_dtype": "float8_e4m3fn"}
                """, "computation_dtype"
            ),
            (
                "{\"offload_dtype\": \"bfloat16\", \"offload_device\": \"cuda\"}",
                "offload_device"
            ),
        ])
    func refuseWhatTheyCannotMean(_ json: String, _ words: String) throws {
        let error = #expect(throws: RequestError.self) { _ = try read(json) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    // MARK: Plans

    @Test("let as many units stay as there is room for, evenly spread")
    func letUnitsStayEvenlySpread() {
        let units = (0..<20).map { WeightGroupSize(name: "\($0)", byteCount: $0 % 2 == 0 ? 9 : 4) }
        for room in [0, 3, 30, 65, 129, 130, 200] {
            let names = Planner.spread(units, over: room)
            let bytes = units.filter { names.contains($0.name) }.reduce(0) { $0 + $1.byteCount }
            #expect(bytes <= room)
            #expect(bytes >= min(room, 130) - 9, "\(bytes) of \(room)")
        }
        let half = Planner.spread(units, over: 65).compactMap(Int.init).sorted()
        #expect(half.contains { $0 < 5 } && half.contains { $0 > 14 })
    }

    @Test("leave other units on the device, the more there is, and the same image")
    func leaveOtherUnitsOnTheDevice() async throws {
        let whole = try await engine(.init()).generate(request())
        let all = try await engine(rehearsal()).generate(request())
        #expect(all.image == whole.image && all.streamed.moved == 0)
        var moved: [Int] = []
        for less in [100_000, 400_000] {
            let some = try await engine(rehearsal(less: less)).generate(request())
            #expect(some.image == whole.image)
            let part = try #require(some.plan.components.first { $0.name == "transformer" })
            #expect(some.streamed.moved >= part.passes * part.streamed && part.resident > 0)
            #expect(some.plan.readsAhead, "there is room beside the encoder")
            moved.append(some.streamed.moved)
        }
        #expect(moved[0] > 0 && moved[1] > moved[0], "\(moved)")
    }

    /// A device of one GiB, of which denoising gets less than it would take.
    private func rehearsal(less: Int? = nil) async throws -> MemorySettings {
        var memory = MemorySettings()
        memory.simulatesDevice = true
        memory.deviceLimit = 1 << 30
        guard let less else { return memory }
        let plan = try await engine(memory).plan(request())
        let stage = try #require(plan.stages.first { $0.name == "denoise" })
        let part = try #require(plan.components.first { $0.name == "transformer" })
        // Only its own weights are on the device then.
        memory.lowered["denoise"] = stage.activations + part.bytes - less
        return memory
    }

    @Test("refuse what does not fit with numbers, and say what would")
    func refuseWhatDoesNotFit() async throws {
        var memory = MemorySettings()
        memory.deviceLimit = 300 << 20
        var large = request()
        (large.height, large.width) = (2048, 2048)
        let engine = try engine(memory)
        let error = await #expect(throws: MemoryError.self) {
            _ = try await engine.generate(large)
        }
        #expect(error?.available == 300 << 20 && error?.needed ?? 0 > 300 << 20)
        #expect(error?.proposal?.contains("--height") == true, "\(error?.description ?? "")")
    }

    @Test("are kept to by going over files piece by piece, where these are too large")
    func areKeptToPieceByPiece() throws {
        let mib = 1 << 20
        func part(_ component: Component, _ count: Int, passes: Int) -> Planner.Part {
            Planner.Part(
                component: component, format: "bfloat16",
                units: (0..<count).map { WeightGroupSize(name: "\($0)", byteCount: 100 * mib) },
                small: mib, scratch: 0, passes: passes)
        }
        func plan(_ gib: Double, own: Bool) throws -> Planner.Outcome {
            var settings = MemorySettings()
            if own { settings.hostLimit = Int(gib * 1024) * mib }
            let free = own ? 64 << 30 : Int(gib * 1024) * mib
            let stages: [(String, Component)] = [
                ("encode", .textEncoder), ("denoise", .transformer), ("decode", .autoencoder),
            ]
            return try Planner(
                device: .cpu, settings: settings, deviceFree: free, hostFree: free,
                parts: [
                    part(.textEncoder, 30, passes: 1), part(.transformer, 40, passes: 4),
                    part(.autoencoder, 0, passes: 1),
                ],
                demands: stages.map { stage, component in
                    Planner.Demand(
                        stage: stage, component: component, base: 100 * mib,
                        activations: 200 * mib)
                })()
        }
        #expect(try plan(8, own: false).placements.values.allSatisfy { $0 == .resident })
        // Parts together are too much for a limit, one after the other is not for the system.
        #expect(try plan(5, own: false).placements.values.allSatisfy { $0 == .resident })
        let both = try plan(5, own: true).placements
        #expect(both[.textEncoder] == .paged(kept: [], bounded: true))
        let tight = try plan(2, own: false)
        guard case .paged(let kept, false)? = tight.placements[.transformer] else {
            Issue.record("\(tight.placements)")
            return
        }
        // 2048 - 300 - 128 for what is not counted, less two units on their way.
        #expect(kept.count == 14)
        for stage in tight.plan.stages {
            #expect(stage.total + stage.mapped + Planner.hostMargin(2 << 30) <= 2 << 30)
        }
        let error = #expect(throws: MemoryError.self) { _ = try plan(0.5, own: false) }
        #expect(error?.place == "the host" && error?.stage == "encode")
    }

    // MARK: Running out

    @Test("are lowered when memory runs out all the same, and the image is made")
    func areLoweredWhenMemoryRunsOut() async throws {
        let whole = try await engine(.init()).generate(request())
        let engine = try await engine(rehearsal())
        let failures = Counter()
        await engine.setOnStep { step in
            guard step.index == 1, failures.next() < 1 else { return }
            throw TorchError(reason: .outOfMemory, message: "as if")
        }
        let events = Events()
        let result = try await engine.generate(request()) { events.add($0) }
        #expect(result.image == whole.image)
        #expect(result.streamed.moved > 0)
        #expect(events.warnings.count == 1, "\(events.warnings)")
        #expect(events.warnings.first?.contains("as if") == true)
        // Where there is nothing to lower, the error stays.
        let plain = try self.engine(.init())
        await plain.setOnStep { _ in throw TorchError(reason: .outOfMemory, message: "as if") }
        await #expect(throws: TorchError.self) { _ = try await plain.generate(request()) }
    }

    // MARK: 8 bits

    @Test("keep weights in 8-bit floats as a file of such floats has them")
    func keepWeightsAsAFileHasThem() async throws {
        var memory = try MemorySettings.lowVRAM(device: .cpu, dtype: .bfloat16)
        memory.storage[.textEncoder] = nil
        let quantized = try await engine(memory).generate(request())
        var files = try ModelFiles(model: Reference.ownModel("tiny-klein"))
        files.transformer = [Reference.path("models/tiny-klein-fp8/transformer")]
        let stored = try await Engine(files, dtype: .bfloat16).generate(request())
        #expect(quantized.image == stored.image && quantized.latents == stored.latents)
        #expect(quantized.plan.components.contains { $0.format == "float8" })
    }

    @Test(
        "give the same image in 8 bits from memory and from a file, with a LoRA",
        arguments: QuantizationFormat.all)
    func giveTheSameImageInEightBits(_ format: QuantizationFormat) async throws {
        var request = request()
        request.loras = [
            LoRAUse(path: Reference.path("inputs/lora/peft.safetensors"), strength: 0.7)
        ]
        var memory = MemorySettings()
        // Groups of 128 are wider than the tiny model is.
        let way: QuantizationFormat = format == .int8Groups(128) ? .int8Groups(16) : format
        memory.storage = [.transformer: .matrices(way), .textEncoder: .matrices(way)]
        let whole = try await engine(memory).generate(request)
        let cached = try await engine(memory, cache: .init(folder: folder.file("cache")))
            .generate(request)
        #expect(cached.image == whole.image)
        #expect(try await engine(.init()).generate(request).image != whole.image)
        request.loraMode = .fused
        let fused = request
        let error = await #expect(throws: RequestError.self) {
            _ = try await engine(memory).generate(fused)
        }
        #expect(error?.setting == "lora-mode")
    }

    @Test("int8 is multiplied as integers where that is done")
    func int8IsWhatComputesFastest() {
        let (rows, rotated) = (
            WeightStorage.matrices(.int8Rows), WeightStorage.matrices(.int8Rotated)
        )
        let own: WeightStorage = Kernel.int8.isUsed ? rotated : rows
        for dtype in [DType.bfloat16, .float32] {
            #expect(WeightStorage.int8(on: .cpu, computingIn: dtype) == own)
            #expect(WeightStorage.int8(on: Device(.cuda), computingIn: dtype) == rows)
            KernelSet.limited(to: .portable) {
                #expect(WeightStorage.int8(on: .cpu, computingIn: dtype) == rows)
            }
        }
        #expect(WeightStorage.int8(on: .cpu, computingIn: .float16) == rows)
    }

    /// Integers need room for what is multiplied with them, not for the weight.
    @Test(
        "memory for a short while is that of what is done",
        .enabled(if: Kernel.int8.isUsed, "needs AVX-512 with VNNI"))
    func scratchIsThatOfWhatIsDone() throws {
        func bytes(_ storage: WeightStorage) throws -> Int {
            var memory = MemorySettings()
            memory.storage[.transformer] = storage
            let files = try ModelFiles(model: Reference.ownModel("tiny-klein"))
            let pipeline = try Pipeline(files, device: .cpu, dtype: .bfloat16, memory: memory)
            return pipeline.transformer.weights.sizes().scratchBytes(rows: 12)
        }
        let (converted, integers) = try (
            bytes(.matrices(.int8Rows)), bytes(.matrices(.int8Rotated))
        )
        #expect((12 * 64..<converted).contains(integers), "\(integers) of \(converted)")
        let portable = try KernelSet.limited(to: .portable) {
            try bytes(.matrices(.int8Rotated))
        }
        #expect(portable == converted)
    }

    // MARK: The cache of weights

    private var int8: MemorySettings {
        var memory = MemorySettings()
        memory.storage[.transformer] = .matrices(.int8Rows)
        return memory
    }

    private func conversions(
        _ model: String, _ cache: WeightCache
    ) async throws -> (count: Int, warnings: [String], image: Image) {
        let events = Events()
        let result = try await engine(int8, model: model, cache: cache).generate(request()) {
            events.add($0)
        }
        return (events.converted, events.warnings, result.image)
    }

    @Test("convert weights once for a machine, and anew when their file has changed")
    func convertWeightsOnce() async throws {
        let cache = WeightCache(folder: folder.file("weights"))
        let model = try folder.model()
        let first = try await conversions(model, cache)
        #expect(first.count == 1)
        let second = try await conversions(model, cache)
        #expect(second.count == 0 && second.image == first.image)
        let file = try #require(
            LocalFiles.matching("transformer/*.safetensors", in: model).first)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        for place in 1...2000 { bytes[bytes.count - 2 * place] ^= 0x40 }
        try bytes.write(to: URL(fileURLWithPath: file))
        let third = try await conversions(model, cache)
        #expect(third.count == 1 && third.image != first.image)
        #expect(try await conversions(model, cache).count == 0)
    }

    @Test("make the image even if the weights cannot be kept")
    func makeTheImageEvenSo() async throws {
        let blocked = folder.file("blocked")
        try "no folder".write(toFile: blocked, atomically: true, encoding: .utf8)
        let model = Reference.ownModel("tiny-klein")
        let result = try await conversions(model, WeightCache(folder: blocked + "/weights"))
        #expect(result.count == 0 && result.warnings.count == 1)
        let plain = try await engine(int8).generate(request())
        #expect(result.image == plain.image)
    }
}

/// Counts from 0, from whatever thread.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func next() -> Int {
        lock.withLock {
            defer { count += 1 }
            return count
        }
    }
}

private final class Events: @unchecked Sendable {
    private let lock = NSLock()
    private var all: [GenerationEvent] = []

    func add(_ event: GenerationEvent) { lock.withLock { all.append(event) } }

    var warnings: [String] {
        lock.withLock {
            all.compactMap { if case .warned(let text) = $0 { text } else { nil } }
        }
    }

    var converted: Int {
        lock.withLock { all.count { if case .converted = $0 { true } else { false } } }
    }
}
