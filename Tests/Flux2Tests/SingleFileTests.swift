@testable import Flux2
@testable import FluxModels
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// Writes components as Black Forest Labs name them, from the hub's naming.
struct SingleFileWriter {
    let source: Checkpoint

    init(_ folder: String) throws { source = try Checkpoint(path: folder) }

    /// All tensors as a layout names and joins them.
    func tensors(_ keyMap: KeyMap) throws -> [String: Tensor] {
        var parts: [String: [Int: Tensor]] = [:]
        for name in source.names {
            let entry = try #require(source[name])
            let values = try Tensor.mapped(entry.info, of: entry.file)
            switch keyMap.transform(name) {
            case .identity(let other), .unpermuteRotary(let other, _): parts[other] = [0: values]
            case .slice(let other, let part, _): parts[other, default: [:]][part] = values
            case .swapHalves(let other):
                let (first, second) = try values.halves(along: 0)
                parts[other] = [0: try .concatenating([second, first], along: 0)]
            }
        }
        return try parts.mapValues { pieces in
            let ordered = pieces.sorted { $0.key < $1.key }.map(\.value)
            return try ordered.count == 1 ? ordered[0] : .concatenating(ordered, along: 0)
        }
    }

    func write(_ keyMap: KeyMap, to path: String) throws {
        try SafetensorsWriter.write(
            to: path, tensors: tensors(keyMap).map { try TensorToWrite($0, $1) })
    }
}

extension TensorToWrite {
    init(_ name: String, _ values: Tensor) throws {
        try self.init(
            name: name, type: #require(ElementType(values.dtype)), shape: values.shape,
            bytes: values.contiguous().withBytes { Array($0) })
    }
}

@Suite("Single files in Black Forest Labs' naming")
struct SingleFileTests {
    private let folder: TemporaryFolder
    private let original = Reference.path("models/tiny-klein")

    init() throws {
        folder = try TemporaryFolder()
        let transformer = try SingleFileWriter(original + "/transformer")
        try transformer.write(.bflTransformer, to: folder.file("flux-2-tiny.safetensors"))
        let autoencoder = try SingleFileWriter(original + "/vae")
        let shape = try TinyModel("tiny-klein").configuration(
            "vae", AutoencoderConfiguration.self)
        try autoencoder.write(
            .bflAutoencoder(levels: shape.encoderWidths.count), to: folder.file("ae.safetensors"))
        for part in ["text_encoder", "tokenizer"] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.file(part), withDestinationPath: "\(original)/\(part)")
        }
    }

    @Test func areRecognized() throws {
        let transformer = try ComponentFile(
            [folder.file("flux-2-tiny.safetensors")], expected: .transformer)
        #expect(transformer.keyMap.name == "BFL")
        guard case .transformer(let found) = transformer.content else { return }
        let expected = try TinyModel("tiny-klein").configuration(
            "transformer", TransformerConfiguration.self)
        #expect(found == expected)
    }

    /// The tiny autoencoder has another number of groups than all published ones, which shapes do
    /// not tell; the configuration has to be beside the file.
    @Test func giveTheSameImageBitForBit() throws {
        try FileManager.default.copyItem(
            atPath: original + "/vae/config.json", toPath: folder.file("vae.json"))
        let image = try generate(ModelFiles(model: original))
        var files = try ModelFiles(model: original)
        files.transformer = [folder.file("flux-2-tiny.safetensors")]
        #expect(try generate(files).latents == image.latents)
        let vae = folder.file("autoencoder")
        try FileManager.default.createDirectory(
            atPath: vae, withIntermediateDirectories: false)
        try FileManager.default.moveItem(
            atPath: folder.file("ae.safetensors"), toPath: vae + "/ae.safetensors")
        try FileManager.default.moveItem(
            atPath: folder.file("vae.json"), toPath: vae + "/config.json")
        files.autoencoder = [vae + "/ae.safetensors"]
        #expect(try generate(files).image == image.image)
    }

    @Test func areFoundInAFolderByWhatTheyHold() throws {
        let files = try ModelFiles(model: folder.path)
        #expect(files.transformer == [folder.file("flux-2-tiny.safetensors")])
        #expect(files.autoencoder == [folder.file("ae.safetensors")])
    }

    private func generate(_ files: ModelFiles) throws -> (latents: HostTensor, image: [UInt8]) {
        try withoutGradients {
            let pipeline = try Pipeline(files, device: .cpu, dtype: .float32)
            var request = GenerationRequest(prompt: "a red fox", seed: 3)
            (request.height, request.width, request.steps) = (64, 96, 2)
            var run = try GenerationRun(pipeline, request)
            let features = try run.encode { _ in }
            let prepared = try run.prepare(run.drawNoise()) { _ in }
            let latents = try run.denoise(prepared, given: features) { _ in }
            return try (HostTensor(latents), run.decode(latents) { _ in }.pixels)
        }
    }
}
