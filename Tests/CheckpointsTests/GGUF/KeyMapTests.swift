import FluxModels
import Foundation
import Checkpoints
import Offloading
import TestSupport
import Testing
import Torch

/// A tiny file with what detection makes of it, and the weights that it was made from.
private struct Sample {
    let file: GGUFFile
    let detection: Detection
    let shapes: TensorShapes

    init(_ name: String, withMetadata: Bool = true) throws {
        file = try GGUFFile(path: "\(Reference.own)/gguf/\(name).gguf")
        shapes = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.shape) })
        let metadata = try Self.metadata(of: file)
        detection = try #require(Detection(shapes, metadata: withMetadata ? metadata : nil))
    }

    static func metadata(of file: GGUFFile) throws -> LanguageModelMetadata {
        LanguageModelMetadata(
            architecture: try #require(file.string("general.architecture")),
            numbers: file.numbers)
    }

    /// The rows as they are in the file: of bytes where they are blocks.
    func stored(_ tensor: GGUFTensor) throws -> Tensor {
        let bytes = file.bytes(of: tensor)
        let dtype: DType
        switch tensor.type {
        case .F32: dtype = .float32
        case .F16: dtype = .float16
        case .BF16: dtype = .bfloat16
        default:
            return try .from(
                bytes: bytes, shape: [tensor.shape[0], tensor.bytesPerRow], dtype: .uint8)
        }
        return try .from(bytes: bytes, shape: tensor.shape, dtype: dtype)
    }

    /// The values of a canonical name.
    ///
    /// - Parameter early: change the places of quantized rows instead of values.
    func values(of key: String, shape: [Int], early: Bool = false) throws -> Tensor {
        let transform = detection.keyMap.transform(key)
        let tensor = try #require(file[transform.source], "no '\(transform.source)' for '\(key)'")
        var rows = try stored(tensor)
        guard let format = GGUFBlockType(rawValue: tensor.type.rawValue) else {
            return try transform(rows, shape: shape).to(dtype: .float32)
        }
        if early { rows = try transform(rows, shape: rows.shape).contiguous() }
        let values = try rows.dequantizedBlocks(format, dtype: .float32)
        return early ? values : try transform(values, shape: shape)
    }

    /// Compares parameters with the checkpoint that the file was made from.
    ///
    /// - Returns: the tensors of the file that none of them took and that are not spare.
    func unexpectedTensors(
        besides parameters: [Parameter], of original: TinyWeights
    ) throws -> [String] {
        var used: Set<String> = []
        for (key, shape) in parameters.map({ ($0.key, $0.shape) }) {
            used.insert(detection.keyMap.transform(key).source)
            let expected = try original.values(of: key)
            for early in [false, true] {
                let found = try values(of: key, shape: shape, early: early)
                #expect(found.shape == shape, "\(key)")
                let difference = try (found - expected).abs().values(as: Float.self).max() ?? 0
                let largest = try expected.abs().values(as: Float.self).max() ?? 0
                #expect(difference <= largest / 127, "\(key)")
            }
        }
        return file.tensors.map(\.name).filter {
            !used.contains($0) && !detection.keyMap.isIgnorable($0)
        }
    }
}

extension WeightTransform {
    fileprivate func callAsFunction(_ stored: Tensor, shape: [Int]) throws -> Tensor {
        try self(.dense(stored), shape: shape).tensors[0]
    }
}

/// A tiny model's component by canonical names.
private struct TinyWeights {
    let checkpoint: Checkpoint
    let keyMap: KeyMap

    init(_ component: String) throws {
        checkpoint = try Checkpoint(path: "\(Reference.own)/models/\(component)")
        var shapes: TensorShapes = [:]
        for name in checkpoint.names { shapes[name] = checkpoint[name]?.info.shape }
        keyMap = try #require(Detection(shapes)).keyMap
    }

    func values(of key: String) throws -> Tensor {
        let (file, info) = try #require(checkpoint[keyMap.transform(key).source])
        return try Tensor.mapped(info, of: file).to(dtype: .float32)
    }

    func configuration() throws -> TextEncoderConfiguration {
        let file = URL(fileURLWithPath: checkpoint.location + "/config.json")
        return try JSONDecoder().decode(
            TextEncoderConfiguration.self, from: Data(contentsOf: file))
    }
}

@Suite("Names in GGUF files", .serialized)
struct KeyMapTests {
    @Test func ofATransformerAreThoseOfBlackForestLabs() throws {
        let sample = try Sample("klein-transformer")
        guard case .transformer(let found) = sample.detection.content else {
            Issue.record("found \(sample.detection.content)")
            return
        }
        #expect(sample.detection.keyMap.name == "BFL")
        let configuration = try #require(found)
        #expect(
            try configuration
                == TinyModel(path: Reference.ownModel("tiny-klein")).configuration(
                    "transformer", TransformerConfiguration.self))
        let scope = Scope()
        _ = FluxTransformer(scope, configuration)
        let unexpected = try sample.unexpectedTensors(
            besides: scope.parameters, of: TinyWeights("tiny-klein/transformer"))
        #expect(unexpected == [])
    }

    @Test(arguments: [true, false])
    func ofQwen3AreThoseOfLlamaCpp(withMetadata: Bool) throws {
        let sample = try Sample("qwen3", withMetadata: withMetadata)
        let original = try TinyWeights("tiny-klein/text_encoder")
        let configuration = try original.configuration()
        #expect(sample.detection.content == .textEncoder(.qwen3, configuration))
        let scope = Scope()
        _ = TextEncoder(scope, configuration)
        let unexpected = try sample.unexpectedTensors(besides: scope.parameters, of: original)
        #expect(unexpected == [])
    }

    @Test(arguments: ["mistral3", "llama"])
    func ofMistralHaveHeadsPutBackInOrder(architecture: String) throws {
        let sample = try Sample(architecture)
        let original = try TinyWeights("tiny-dev/text_encoder")
        let whole = try original.configuration()
        var configuration = whole
        configuration.layerCount = 2
        configuration.vocabularySize = 16
        #expect(sample.detection.content == .textEncoder(.mistral3, configuration))
        let scope = Scope()
        _ = TextEncoder(scope, whole)
        let present = scope.parameters.filter { key in
            ["layers.0.", "layers.1."].contains { key.key.hasPrefix($0) }
        }
        #expect(present.count == 18)
        let unexpected = try sample.unexpectedTensors(besides: present, of: original)
        #expect(unexpected == ["token_embd.weight"])
    }

    /// Rows 0, 1, 2, … of a head of six are rows 0, 3, 1, 4, 2, 5 of the stored one.
    @Test func interleavedHeadsAreTakenApartRowByRow() throws {
        let (heads, size, width) = (3, 6, 2)
        let plain = (0..<heads * size * width).map(Float.init)
        var stored = plain
        for head in 0..<heads {
            for row in 0..<size {
                let place = row < size / 2 ? 2 * row : 2 * (row - size / 2) + 1
                for column in 0..<width {
                    stored[(head * size + place) * width + column] =
                        plain[(head * size + row) * width + column]
                }
            }
        }
        let shape = [heads * size, width]
        let transform = WeightTransform.unpermuteRotary("x", headSize: size)
        let values = try transform(.from(stored, shape: shape), shape: shape)
        #expect(values.shape == shape)
        #expect(try values.values(as: Float.self) == plain)
        let odd = try transform(.from(stored, shape: [4, 9]), shape: [4, 9])
        #expect(try odd.values(as: Float.self) == stored)
    }

    @Test func ofOtherLanguageModelsAreNotTaken() throws {
        let sample = try Sample("llama")
        var metadata = try Sample.metadata(of: sample.file)
        metadata.architecture = "gemma3"
        #expect(Detection(sample.shapes, metadata: metadata) == nil)
        metadata.architecture = "qwen3"
        #expect(Detection(sample.shapes, metadata: metadata) == nil)
    }

    @Test func configurationsNeedAllOfTheirEntries() throws {
        let sample = try Sample("qwen3")
        let complete = try Sample.metadata(of: sample.file)
        #expect(TextEncoderConfiguration(complete, sample.shapes) != nil)
        for key in [
            "block_count", "embedding_length", "feed_forward_length", "attention.head_count",
            "rope.freq_base", "attention.layer_norm_rms_epsilon",
        ] {
            var metadata = complete
            metadata.numbers["qwen3.\(key)"] = nil
            #expect(TextEncoderConfiguration(metadata, sample.shapes) == nil, "\(key)")
        }
        var metadata = complete
        metadata.numbers["qwen3.rope.scaling.factor"] = 4
        #expect(TextEncoderConfiguration(metadata, sample.shapes) == nil)
        metadata = complete
        metadata.numbers["qwen3.attention.head_count_kv"] = 3
        #expect(TextEncoderConfiguration(metadata, sample.shapes) == nil)
        metadata.numbers["qwen3.attention.head_count"] = .infinity
        #expect(TextEncoderConfiguration(metadata, sample.shapes) == nil)
        #expect(TextEncoderConfiguration(complete, [:]) == nil)
    }
}
