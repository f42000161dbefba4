package import FluxModels
package import Imaging
package import Torch

/// Turns pictures into latents.
package struct EncodeStage {
    let autoencoder: Autoencoder
    let dtype: DType
    let device: Device
    var tiling = Tiling.automatic
    var parity = Parity.diffsynth

    package init(
        autoencoder: Autoencoder, dtype: DType, device: Device, tiling: Tiling = .automatic,
        parity: Parity = .diffsynth
    ) {
        self.autoencoder = autoencoder
        self.dtype = dtype
        self.device = device
        self.tiling = tiling
        self.parity = parity
    }

    /// - Shapes: → [1, 4C, H/16, W/16].
    /// - Throws: `CancellationError` between layers.
    package func callAsFunction(_ image: Image) throws -> Tensor {
        // Others than DiffSynth scale in 32 bits and round once.
        let scaled: DType = parity == .diffsynth ? dtype : .float32
        let pixels = try Tensor.pixels(of: image, dtype: scaled, device: device).to(dtype: dtype)
        let observe: Observer = { _, _ in try Task.checkCancellation() }
        let moments =
            switch try tiling.resolved(autoencoder, image.height, image.width, device) {
            case .strips(let strips):
                try strips.moments(of: pixels, autoencoder, observe: observe)
            case .feathered(let tiles):
                try tiles.moments(of: pixels, autoencoder, observe: observe)
            case .overlapping(let tiles):
                try tiles.moments(of: pixels, autoencoder, observe: observe)
            case .whole: try autoencoder.moments(of: pixels, observe: observe)
            }
        return try autoencoder.latents(ofMoments: moments)
    }
}

/// Turns clean latents into a picture.
package struct DecodeStage {
    let autoencoder: Autoencoder
    var tiling = Tiling.automatic
    var parity = Parity.diffsynth
    /// Looks at the pixels before they are rounded.
    var check: (Tensor) throws -> Void = { _ in }

    package init(
        autoencoder: Autoencoder, tiling: Tiling = .automatic, parity: Parity = .diffsynth
    ) {
        self.autoencoder = autoencoder
        self.tiling = tiling
        self.parity = parity
    }

    /// - Shapes: `latents` [1, 4C, h, w].
    /// - Throws: `CancellationError` between layers.
    package func callAsFunction(_ latents: Tensor, onEvent: (GenerationEvent) -> Void) throws
        -> Image
    {
        let (height, width) = (16 * latents.size(2), 16 * latents.size(3))
        let passage = try tiling.resolved(autoencoder, height, width, latents.device)
        let total = passage.layers(autoencoder.configuration, height: height, width: width)
        var done = 0
        let observe: Observer = { _, _ in
            try Task.checkCancellation()
            done += 1
            onEvent(.working(stage: .decode, done: min(done, total), of: total))
        }
        let unfolded = try autoencoder.unfolded(latents)
        let pixels =
            switch passage {
            case .strips(let strips):
                try strips.decode(unpatched: unfolded, autoencoder, observe: observe)
            case .feathered(let tiles):
                try tiles.decode(unpatched: unfolded, autoencoder, observe: observe)
            case .overlapping(let tiles):
                try tiles.decode(unpatched: unfolded, autoencoder, observe: observe)
            case .whole: try autoencoder.decode(unpatched: unfolded, observe: observe)
            }
        try check(pixels)
        let image = try pixels.picture(parity.pixelRounding)
        onEvent(.decoded)
        return image
    }
}

extension Tiling {
    /// The way that is taken.
    enum Passage {
        case whole
        case strips(Strips)
        case feathered(FeatheredTiles)
        case overlapping(OverlappingTiles)
    }

    /// Settles `automatic` by what memory is free.
    func resolved(
        _ autoencoder: Autoencoder, _ height: Int, _ width: Int, _ device: Device
    ) throws -> Passage {
        let free = self == .automatic ? try device.memory().free : 0
        return passage(autoencoder.configuration, height, width, free: free)
    }

    /// The same with so many bytes free.
    func passage(
        _ configuration: AutoencoderConfiguration, _ height: Int, _ width: Int, free: Int
    ) -> Passage {
        switch self {
        case .off: return .whole
        case .strips: return .strips(Strips())
        case .feathered(let tiles): return .feathered(tiles)
        case .overlapping(let tiles): return .overlapping(tiles)
        case .automatic:
            let map = Strips.largestMap(configuration, height: height, width: width)
            // A unit's input, its output, what is between them and a copy for the convolution.
            return 4 * map > free / 10 * 9 ? .strips(Strips()) : .whole
        }
    }
}

extension Tiling.Passage {
    /// How often the decoder calls its observer.
    func layers(_ configuration: AutoencoderConfiguration, height: Int, width: Int) -> Int {
        let levels = configuration.decoderWidths.count
        let units = levels * (configuration.unitsPerLevel + 1)
        let factor = configuration.spatialFactor
        switch self {
        case .strips: return 1 + units
        case .whole: return 2 + units + levels
        case .feathered(let tiles):
            let count = tiles.count(latentHeight: height / factor, latentWidth: width / factor)
            return count * (2 + units + levels)
        case .overlapping(let tiles):
            let count = tiles.count(latentHeight: height / factor, latentWidth: width / factor)
            return count * (2 + units + levels)
        }
    }
}
