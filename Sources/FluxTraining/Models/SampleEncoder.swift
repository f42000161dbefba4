package import Flux2
package import FluxModels
package import Imaging
internal import Tokenization
package import Torch

/// Turns items of a data set into what objectives take.
package final class SampleEncoder {
    private let parts: TrainingParts
    /// Whether text features, or latents, get gradients and must not be kept.
    private let recordsText: Bool
    private let recordsLatents: Bool
    private var texts: [String: Tensor] = [:]
    private var truncated: Set<Int> = []
    private var pictures: [Int: EncodedSample] = [:]
    private var keptBytes = 0
    private let limit: Int
    /// Told about captions that are longer than the text window, once each.
    package var onTruncated: (_ row: Int, _ tokens: Int) -> Void = { _, _ in }

    /// - Parameters:
    ///   - trained: components whose weights get gradients.
    ///   - limit: bytes of encoded samples that are kept, since data sets are gone through again and
    ///     again.
    package init(_ parts: TrainingParts, trained: Set<Component> = [], limit: Int = 0) {
        self.parts = parts
        self.limit = limit
        recordsText = trained.contains(.textEncoder)
        recordsLatents = trained.contains(.autoencoder)
    }

    /// - Throws: `CancellationError` between layers; `ModelError` for a part that was not given.
    package func callAsFunction(_ item: TrainingItem) throws -> EncodedSample {
        if let known = pictures[item.row] { return try completed(known, item) }
        let latents = try withGradients(recordsLatents) { try encode(item.image) }
        let text = try text(item.prompt, row: item.row)
        var sample = EncodedSample(latents: latents, text: text)
        sample.references = try withGradients(recordsLatents) { try references(item) }
        keep(sample, item.row)
        return try completed(sample, item)
    }

    /// Keeps what will be needed again, as long as there is room.
    private func keep(_ sample: EncodedSample, _ row: Int) {
        guard !recordsText, !recordsLatents, keptBytes + sample.byteCount <= limit else { return }
        keptBytes += sample.byteCount
        pictures[row] = sample
    }

    private func completed(_ sample: EncodedSample, _ item: TrainingItem) throws -> EncodedSample {
        var sample = sample
        sample.extras = item.extras
        if let seed = item.extras.seed {
            sample.noise = try Draws.noise(
                seed: UInt64(bitPattern: Int64(seed)), like: sample.latents,
                randomDevice: randomDevice(item))
        }
        return sample
    }

    private func randomDevice(_ item: TrainingItem) throws -> Device {
        guard let name = item.extras.randomDevice else { return parts.device }
        guard let device = Device(name: name) else {
            throw DataError(
                path: "row \(item.row + 1)",
                reason: .unexpected(column: "rand_device", expected: "a device", found: name))
        }
        return device
    }

    // MARK: Pictures

    private func autoencoder() throws -> EncodeStage {
        guard let part = parts.autoencoder else { throw missing(.autoencoder) }
        return EncodeStage(
            autoencoder: try part.load(passes: .max), dtype: parts.dtype, device: parts.device,
            tiling: recordsLatents ? .off : .automatic)
    }

    private func encode(_ image: Image) throws -> Tensor {
        let latents = try autoencoder()(image)
        try parts.autoencoder?.requireFinite(latents, "latents of a picture")
        return latents
    }

    private func references(_ item: TrainingItem) throws -> (tokens: Tensor, positions: Tensor)? {
        let fits = item.extras.editImageAutoResize ?? true
        let images = item.editImages.map {
            fits ? Parity.diffsynth.fitted($0, among: item.editImages.count) : $0
        }
        return try References(images, encode: encode).map { ($0.tokens, $0.positions) }
    }

    // MARK: Text

    /// The features of a caption.
    package func text(_ prompt: String, row: Int = 0) throws -> Tensor {
        if let known = texts[prompt] { return known }
        guard let part = parts.textEncoder, let tokenizer = parts.tokenizer else {
            throw missing(.textEncoder)
        }
        let text = tokenizer(prompt, length: parts.textLength)
        if text.wasTruncated, truncated.insert(prompt.hashValue).inserted {
            onTruncated(row, text.tokenCount)
        }
        let encoder = try part.load(passes: .max)
        let features = try withGradients(recordsText) {
            try encoder(ids: text.ids, real: text.mask, dtype: parts.dtype, device: parts.device) {
                _, _ in try Task.checkCancellation()
            }
        }
        guard !recordsText else { return features }
        try part.requireFinite(features, "text features")
        // A small data set, or one caption for all, is encoded once.
        if texts.count < 64 { texts[prompt] = features }
        return features
    }

    private func missing(_ component: Component) -> ModelError {
        ModelError(
            path: "--model_paths, --model_id_with_origin_paths",
            reason: .missingComponent(component.rawValue, expected: "among the models"))
    }
}
