@testable import Flux2
import FileSupport
@testable import FluxModels
import Foundation
import Checkpoints
import Offloading
import TestSupport
import Testing
import Torch

@Suite("GGUF files that are refused")
struct GGUFRefusalTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("x.gguf")
    }

    private func open(_ component: Component = .textEncoder) throws {
        var overrides = ModelFiles.Overrides()
        if component == .transformer { overrides.transformer = [path] }
        if component == .textEncoder { overrides.textEncoder = [path] }
        let files = try ModelFiles(
            model: Reference.ownModel("tiny-klein"), overrides: overrides)
        let pipeline = try Pipeline(files, device: .cpu, dtype: .float32)
        _ = try pipeline.transformer.load(passes: 1)
        _ = try pipeline.textEncoder.load(passes: 1)
    }

    /// The error in one line, behind the file's path.
    private func refusal(
        _ component: Component = .textEncoder, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let error = try #require(throws: (any Error).self, sourceLocation: sourceLocation) {
            try open(component)
        }
        let line = "\(error)"
        #expect(line.hasPrefix(path + ": ") && !line.contains("\n"), sourceLocation: sourceLocation)
        return String(line.dropFirst(path.count + 2))
    }

    @Test func aTruncatedOne() throws {
        try GGUFCopy("klein-transformer").write(to: path)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: file.seekToEnd() - 1000)
        try file.close()
        #expect(try refusal(.transformer).contains("is it truncated?"))
    }

    @Test func oneWithoutATensor() throws {
        var copy = try GGUFCopy("klein-transformer")
        copy.pieces.removeAll { $0.tensor.name == "double_blocks.1.img_mlp.0.weight" }
        try copy.write(to: path)
        #expect(
            try refusal(.transformer)
                == "no tensor named 'double_blocks.1.img_mlp.0.weight'; "
                + "is this the checkpoint of another model?")
    }

    @Test func oneWithATensorTooMany() throws {
        var copy = try GGUFCopy("klein-transformer")
        var extra = copy.pieces[0]
        extra.tensor.name = "extra.weight"
        copy.pieces.append(extra)
        try copy.write(to: path)
        #expect(try refusal(.transformer).contains("the model has no place for 'extra.weight'"))
    }

    @Test func oneOfAnUnknownArchitecture() throws {
        var copy = try GGUFCopy("qwen3")
        copy.rename("qwen3", to: "gemma3")
        try copy.write(to: path)
        #expect(
            try refusal()
                == "expected a FLUX.2 text_encoder, found a 'gemma3' model of 310 tensors such as "
                + "'blk.0.attn_k.weight'")
    }

    @Test func oneWhosePositionsAreScaled() throws {
        var copy = try GGUFCopy("qwen3")
        copy.entries["qwen3.rope.scaling.factor"] = .number(4)
        try copy.write(to: path)
        #expect(
            try refusal()
                == "'qwen3.rope.scaling.factor' is 4.0; models whose positions are scaled "
                + "are not read")
    }

    @Test func oneThatDoesNotTellItsArchitecture() throws {
        var copy = try GGUFCopy("qwen3")
        copy.entries["qwen3.rope.freq_base"] = nil
        try copy.write(to: path)
        // Nothing else than the file is asked.
        try Data("{}".utf8).write(to: URL(fileURLWithPath: folder.file("config.json")))
        #expect(try refusal() == "no usable 'qwen3.rope.freq_base' in its metadata")
        copy.entries["qwen3.rope.freq_base"] = .number(1e6)
        copy.entries["qwen3.attention.head_count_kv"] = .integer(3)
        try copy.write(to: path)
        #expect(try refusal() == "numbers in its metadata that do not fit each other")
    }

    @Test func theTextEncoderOfAnotherModel() throws {
        try GGUFCopy("mistral3").write(to: path)
        #expect(try refusal().hasPrefix("gives text features of width 120, the transformer in "))
        #expect(try refusal(.transformer) == "expected a FLUX.2 transformer, found a text_encoder")
    }

    @Test func oneWithValuesThatAreNotFinite() throws {
        var copy = try GGUFCopy("klein-transformer")
        // The scale of the first block is infinite.
        copy.overwrite("single_blocks.1.linear1.weight", with: [0, 0x7C])
        try copy.write(to: path)
        let file = try ComponentFile([path], expected: .transformer)
        guard case .transformer(let shape) = file.content else { return }
        let scope = Scope()
        _ = FluxTransformer(scope, try #require(shape))
        let error = #expect(throws: WeightError.self) {
            try file.loader().requireFinite(scope.parameters)
        }
        #expect(error?.key == "single_blocks.1.linear1.weight" && error?.reason == .notFinite)
    }

    @Test func forLoRAsToBeFoldedIntoForGood() throws {
        try GGUFCopy("klein-transformer").write(to: path)
        let error = #expect(throws: ModelError.self) { try FusedTransformer(model: path) }
        #expect(
            error?.description.hasPrefix("\(path): expected weights of 16 or 32 bits") == true)
        #expect(error?.description.hasSuffix("' in blocks of Q8_0") == true)
    }

    @Test func forPackingAnew() throws {
        try GGUFCopy("klein-transformer").write(to: path)
        let error = #expect(throws: ModelError.self) { try QuantizationSource(model: path) }
        #expect(error?.description.hasSuffix("' in blocks of Q8_0") == true)
        try GGUFCopy("qwen3").write(to: path)
        #expect(
            throws: ModelError(
                path: path,
                reason: .wrongContent(
                    expected: "a text encoder of .safetensors files", found: "a GGUF file"))
        ) { try QuantizationSource(model: path, part: .textEncoder) }
    }
}
