internal import Imaging

/// How much there is to compute of a sample.
public struct SampleMeasure: Hashable, Sendable {
    /// A size in pixels.
    public struct Size: Hashable, Sendable, CustomStringConvertible {
        /// Pixels.
        public var width: Int
        /// Pixels.
        public var height: Int

        /// Tokens of the transformer: one for each square of 16 pixels.
        public var tokens: Int { width / 16 * (height / 16) }
        /// `640x480`.
        public var description: String { "\(width)x\(height)" }
    }

    /// The image as it is trained on.
    public var image: Size
    /// Images that the prompt refers to, as they are encoded.
    public var references: [Size] = []
    /// Steps of distillation.
    public var steps: Int?

    /// Tokens of references.
    public var referenceTokens: Int { references.reduce(0) { $0 + $1.tokens } }
    /// Tokens of all images.
    public var tokens: Int { image.tokens + referenceTokens }
    /// What samples have in common that are computed side by side.
    var key: String { "\(image) \(references) \(steps ?? 0)" }
}

extension ImageDataset {
    public func measure(_ number: Int) throws -> SampleMeasure {
        let (image, references, extras) = try paths(number)
        var measure = SampleMeasure(image: try fitted(image, number))
        measure.steps = extras.inferenceSteps
        measure.references = try references.map { path in
            let size = try fitted(path, number)
            guard extras.editImageAutoResize ?? true else { return size }
            let (width, height) = ReferenceSize.diffSynth(
                width: size.width, height: size.height, area: referenceArea)
            return SampleMeasure.Size(width: width, height: height)
        }
        return measure
    }

    private func fitted(_ path: String, _ number: Int) throws -> SampleMeasure.Size {
        if let width = sizing.width, let height = sizing.height {
            return SampleMeasure.Size(width: width, height: height)
        }
        return try size(of: path, number)
    }

    /// The size that an image is made, from its header.
    ///
    /// - Throws: `DataError` naming the row, for a header that makes no sense, too.
    func size(of path: String, _ number: Int) throws -> SampleMeasure.Size {
        do {
            let stored = try storedSize(of: path)
            let (width, height) = sizing.size(width: stored.width, height: stored.height)
            guard width > 0, height > 0 else {
                throw DataError(
                    path: path,
                    reason: .image(
                        "\(stored.width)x\(stored.height) pixels leave a side of less than 16"))
            }
            return SampleMeasure.Size(width: width, height: height)
        } catch let error as ImagingError {
            throw DataError(
                path: metadata.path, row: number + 1, reason: .image("\(error)"))
        }
    }
}

extension CachedDataset {
    public func measure(_ number: Int) throws -> SampleMeasure {
        try samples[number].measure()
    }
}
