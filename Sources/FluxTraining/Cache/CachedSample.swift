internal import Domains
internal import Flux2
internal import FluxModels
internal import Foundation
internal import Offloading
internal import Checkpoints
public import Torch

/// The file of an encoded sample, as the first stage of split training writes it.
///
/// Tensors have DiffSynth-Studio's names behind `shared.` and `positive.`; what is no tensor is JSON
/// in the header.
public struct CachedSample: Hashable, Sendable {
    /// A `.safetensors` file.
    public let path: String

    /// Names a file, which is read by ``load(dtype:device:)``.
    public init(path: String) { self.path = path }

    /// The version of the form.
    static let version = "1"

    /// Reads the sample.
    ///
    /// - Parameter dtype: the type that is computed in.
    /// - Throws: `DataError` naming the file and what is not as it must be.
    public func load(dtype: DType, device: Device) throws -> EncodedSample {
        let file = try open()
        func tensor(_ name: String) throws -> Tensor? {
            guard let info = file[name] else { return nil }
            return try Tensor.mapped(info, of: file)
        }
        func required(_ name: String) throws -> Tensor {
            guard let found = try tensor(name) else {
                throw DataError(path: path, reason: .missing(column: name))
            }
            return found
        }
        func moved(_ x: Tensor) throws -> Tensor { try x.to(dtype: dtype, device: device) }
        let grid = try size(required("shared.image_ids"))
        func unpacked(_ tokens: Tensor) throws -> Tensor {
            guard tokens.rank == 3, tokens.size(0) == 1, tokens.size(1) == grid.rows * grid.columns
            else {
                throw DataError(
                    path: path,
                    reason: .unfit("has \(tokens.shape) latents for \(grid.rows)x\(grid.columns)"))
            }
            return try moved(
                LatentTokens.unpack(tokens, height: grid.rows, width: grid.columns))
        }
        let text = try required("positive.prompt_embeds")
        try require("positive.prompt_embeds", of: text)
        var sample = EncodedSample(
            latents: try unpacked(required("shared.input_latents")), text: try moved(text))
        sample.noise = try tensor("shared.latents").map(unpacked)
        if let tokens = try tensor("shared.edit_latents") {
            let positions = try required("shared.edit_image_ids")
            try require("shared.edit_latents", of: tokens)
            guard positions.count == 4 * tokens.size(1) else {
                throw DataError(
                    path: path, reason: .unfit("has no edit_image_ids for all of its edit_latents"))
            }
            sample.references = (
                try moved(tokens), try positions.reshaped([tokens.size(1), 4])
            )
        }
        sample.extras = try extras(file)
        return sample
    }

    /// Refuses what are no features of tokens, [1, T, C].
    private func require(_ name: String, of tensor: Tensor) throws {
        guard tensor.rank == 3, tensor.size(0) == 1, tensor.count > 0 else {
            throw DataError(
                path: path, reason: .unfit("'\(name)' must be [1, T, C], not \(tensor.shape)"))
        }
    }

    private func open() throws -> SafetensorsFile {
        do {
            return try SafetensorsFile(path: path)
        } catch {
            throw DataError(path: path, reason: .unreadable("\(error)"))
        }
    }

    private func extras(_ file: SafetensorsFile) throws -> SampleExtras {
        guard let text = file.metadata["inputs"],
            let extras = try? JSONDecoder().decode(SampleExtras.self, from: Data(text.utf8))
        else {
            throw DataError(path: path, reason: .missing(column: "inputs in its header"))
        }
        do {
            try extras.check()
        } catch let error as NumberError {
            throw DataError(path: path, reason: .unfit("\(error)"))
        }
        return extras
    }

    /// Rows and columns, from the ids of all places.
    private func size(_ ids: Tensor) throws -> (rows: Int, columns: Int) {
        let flat = try ids.values(as: Int64.self)
        let rows = stride(from: 1, to: flat.count, by: 4).map { flat[$0] }.max() ?? -1
        let columns = stride(from: 2, to: flat.count, by: 4).map { flat[$0] }.max() ?? -1
        guard (0..<100_000).contains(rows), (0..<100_000).contains(columns) else {
            throw DataError(path: path, reason: .unfit("has no usable image_ids"))
        }
        return (Int(rows) + 1, Int(columns) + 1)
    }

    /// How much there is to compute, from the header.
    func measure() throws -> SampleMeasure {
        let file = try open()
        let sides = file.metadata["size"]?.split(separator: "x").compactMap { Int($0) } ?? []
        guard sides.count == 2, sides.allSatisfy({ (1...100_000).contains($0) }) else {
            throw DataError(path: path, reason: .missing(column: "size in its header"))
        }
        var measure = SampleMeasure(
            image: .init(width: 16 * sides[1], height: 16 * sides[0]))
        // References have lost their sizes; what counts is how many tokens there are.
        if let tokens = file["shared.edit_latents"]?.shape, tokens.count == 3 {
            measure.references = [.init(width: 16 * tokens[1], height: 16)]
        }
        measure.steps = try extras(file).inferenceSteps
        return measure
    }

    /// What the sample was made of, from the header.
    func fingerprint() throws -> String { try open().metadata["fingerprint"] ?? "" }
}

extension CachedSample {
    /// Writes an encoded sample.
    ///
    /// - Parameters:
    ///   - noise: what the noise initializer of the stage has drawn; distillation starts from it.
    ///   - fingerprint: what the sample was made of.
    func write(_ sample: EncodedSample, noise: Tensor, fingerprint: String) throws {
        let size = (sample.latents.size(2), sample.latents.size(3))
        let tokens = try LatentTokens.pack(sample.latents)
        func batched(_ ids: Tensor) throws -> Tensor { try ids.unsqueezed(0) }
        var tensors = try [
            TensorToWrite("shared.input_latents", tokens, in: tokens.dtype),
            TensorToWrite("shared.latents", LatentTokens.pack(noise), in: noise.dtype),
            TensorToWrite(
                "shared.image_ids", batched(Positions.grid(rows: size.0, columns: size.1)),
                in: .int64),
            TensorToWrite("positive.prompt_embeds", sample.text, in: sample.text.dtype),
            TensorToWrite(
                "positive.text_ids", batched(Positions.text(sample.text.size(1))), in: .int64),
        ]
        if let references = sample.references {
            try tensors += [
                TensorToWrite(
                    "shared.edit_latents", references.tokens, in: references.tokens.dtype),
                TensorToWrite(
                    "shared.edit_image_ids", batched(references.positions), in: .int64),
            ]
        }
        var extras = sample.extras
        extras.embeddedGuidance = extras.embeddedGuidance ?? 1
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let metadata = [
            "format": "pt", "version": Self.version, "size": "\(size.0)x\(size.1)",
            "inputs": String(decoding: try encoder.encode(extras), as: UTF8.self),
            "fingerprint": fingerprint,
        ]
        try SafetensorsWriter.write(to: path, tensors: tensors, metadata: metadata)
    }
}
