internal import Flux2
package import FluxModels
internal import Imaging
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
    /// Ids of captions, where their features change with every update.
    private var tokens: [String: TokenizedPrompt] = [:]
    private var kept: [Int: KeptSample] = [:]
    private var keptBytes = 0
    private let limit: Int
    /// Told about captions that are longer than the text window, once each.
    package var onTruncated: (_ row: Int, _ tokens: Int) -> Void = { _, _ in }

    /// What of a sample is the same whenever it comes again.
    private struct KeptSample {
        var latents: Tensor
        var references: (tokens: Tensor, positions: Tensor)?
        /// Nil where the text encoder is trained.
        var text: Tensor?

        var byteCount: Int {
            [latents, references?.tokens, references?.positions, text].compactMap(\.self)
                .reduce(0) { $0 + $1.byteCount }
        }
    }

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
        let kept = try kept(item)
        let text = try kept.text ?? text(item.prompt, row: item.row)
        return try completed(kept, text, item)
    }

    /// Encodes items that are computed side by side; captions in one go where that gives gradients.
    package func callAsFunction(_ items: [TrainingItem]) throws -> [EncodedSample] {
        guard recordsText, items.count > 1 else { return try items.map { try self($0) } }
        let kept = try items.map { try self.kept($0) }
        let texts = try texts(items)
        return try items.indices.map { try completed(kept[$0], texts[$0], items[$0]) }
    }

    private func kept(_ item: TrainingItem) throws -> KeptSample {
        if let known = kept[item.row] { return known }
        let latents = try withGradients(recordsLatents && recordsGradients()) {
            try encode(item.image)
        }
        let text = try recordsText ? nil : text(item.prompt, row: item.row)
        let sample = KeptSample(
            latents: latents,
            references: try withGradients(recordsLatents && recordsGradients()) {
                try references(item)
            }, text: text)
        keep(sample, item.row)
        return sample
    }

    /// Keeps what will be needed again, as long as there is room.
    private func keep(_ sample: KeptSample, _ row: Int) {
        guard !recordsLatents, keptBytes + sample.byteCount <= limit else { return }
        keptBytes += sample.byteCount
        kept[row] = sample
    }

    private func completed(
        _ kept: KeptSample, _ text: Tensor, _ item: TrainingItem
    ) throws -> EncodedSample {
        var sample = EncodedSample(latents: kept.latents, text: text)
        sample.references = kept.references
        sample.extras = item.extras
        if let seed = item.extras.seed {
            sample.noise = try NoiseSampler.noise(
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

    // MARK: Images

    private func autoencoder() throws -> EncodeStage {
        guard let part = parts.autoencoder else { throw ModelError(missing: .autoencoder) }
        return EncodeStage(
            autoencoder: try part.load(passes: .max), dtype: parts.dtype, device: parts.device,
            tiling: recordsLatents ? .off : .automatic)
    }

    private func encode(_ image: Image) throws -> Tensor {
        let latents = try autoencoder()(image)
        try parts.autoencoder?.requireFinite(latents, "latents of an image")
        return latents
    }

    private func references(_ item: TrainingItem) throws -> (tokens: Tensor, positions: Tensor)? {
        let fits = item.extras.editImageAutoResize ?? true
        let images = item.editImages.map {
            fits
                ? Parity.diffsynth.fitted(
                    $0, among: item.editImages.count, area: parts.referenceArea) : $0
        }
        return try References(images, encode: encode).map { ($0.tokens, $0.positions) }
    }

    // MARK: Text

    /// The features of a caption.
    package func text(_ prompt: String, row: Int = 0) throws -> Tensor {
        if let known = texts[prompt] { return known }
        let part = try textEncoder()
        let text = try tokenized(prompt, row: row)
        let encoder = try part.load(passes: .max)
        let features = try withGradients(recordsText && recordsGradients()) {
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

    /// The features of all captions.
    private func texts(_ items: [TrainingItem]) throws -> [Tensor] {
        let texts = try items.map { try tokenized($0.prompt, row: $0.row) }
        let encoder = try textEncoder().load(passes: .max)
        let features = try encoder(
            batch: texts.map { ($0.ids, $0.mask) }, dtype: parts.dtype, device: parts.device
        ) { _, _ in try Task.checkCancellation() }
        return try features.chunks(items.count, along: 0)
    }

    private func textEncoder() throws -> ModelPart<TextEncoder> {
        guard let part = parts.textEncoder else { throw ModelError(missing: .textEncoder) }
        return part
    }

    private func tokenized(_ prompt: String, row: Int) throws -> TokenizedPrompt {
        if let known = tokens[prompt] { return known }
        guard let tokenizer = parts.tokenizer else { throw ModelError(missing: .textEncoder) }
        let text = tokenizer(prompt, length: parts.textLength)
        if text.wasTruncated, truncated.insert(prompt.hashValue).inserted {
            onTruncated(row, text.tokenCount)
        }
        let byteCount = text.ids.count * (MemoryLayout<Int>.size + MemoryLayout<Bool>.size)
        if recordsText, keptBytes + byteCount <= limit {
            keptBytes += byteCount
            tokens[prompt] = text
        }
        return text
    }
}
