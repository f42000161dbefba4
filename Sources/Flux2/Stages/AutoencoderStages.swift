package import FluxModels
package import Imaging
package import Torch

/// Turns images into latents.
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
        let method = try tiling.resolved(autoencoder, image.height, image.width, device)
        return try latents(of: pixels(ofLevels: .levels(of: image)), by: method)
    }

    /// - Shapes: `levels` [H, W, 3] of `uint8` → [1, 3, H, W] from -1 to 1.
    func pixels(ofLevels levels: Tensor) throws -> Tensor {
        // Others than DiffSynth scale in float32 and round once.
        let scaled: DType = parity == .diffsynth ? dtype : .float32
        return try Tensor.pixels(ofLevels: levels, dtype: scaled, device: device).to(dtype: dtype)
    }

    /// - Shapes: `pixels` [1, 3, H, W] → [1, 4C, H/16, W/16].
    func latents(of pixels: Tensor, by method: Tiling.Method) throws -> Tensor {
        let moments = try method.moments(of: pixels, autoencoder) { _, _ in
            try Task.checkCancellation()
        }
        return try autoencoder.latents(ofMoments: moments)
    }
}

/// Turns clean latents into an image.
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
        let method = try tiling.resolved(autoencoder, height, width, latents.device)
        let total = method.layers(autoencoder.configuration, height: height, width: width)
        var done = 0
        let observe: Observer = { _, _ in
            try Task.checkCancellation()
            done += 1
            onEvent(.working(stage: .decode, done: min(done, total), of: total))
        }
        let pixels = try pixels(of: latents, by: method, observe: observe)
        try check(pixels)
        let image = try pixels.image(parity.pixelRounding)
        onEvent(.decoded)
        return image
    }

    /// - Shapes: `latents` [1, 4C, h, w] → [1, 3, 16h, 16w], nominally from -1 to 1.
    func pixels(
        of latents: Tensor, by method: Tiling.Method, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        try method.decode(autoencoder.denormalizedUnpatched(latents), autoencoder, observe)
    }
}

extension Tiling {
    /// The way that is taken.
    enum Method {
        case whole
        case strips(Strips)
        case feathered(FeatheredTiles)
        case overlapping(OverlappingTiles)
    }

    /// Settles `automatic` by what memory is free.
    func resolved(
        _ autoencoder: Autoencoder, _ height: Int, _ width: Int, _ device: Device
    ) throws -> Method {
        let free = self == .automatic ? try device.memory().free : 0
        return method(autoencoder.configuration, height, width, free: free)
    }

    /// The same with so many bytes free.
    func method(
        _ configuration: AutoencoderConfiguration, _ height: Int, _ width: Int, free: Int
    ) -> Method {
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

extension Tiling.Method {
    /// - Shapes: `pixels` [1, 3, H, W] → [1, 2C, H/8, W/8].
    fileprivate func moments(
        of pixels: Tensor, _ autoencoder: Autoencoder, _ observe: Observer
    ) throws -> Tensor {
        switch self {
        case .whole: try autoencoder.moments(of: pixels, observe: observe)
        case .strips(let strips): try strips.moments(of: pixels, autoencoder, observe: observe)
        case .feathered(let tiles): try tiles.moments(of: pixels, autoencoder, observe: observe)
        case .overlapping(let tiles): try tiles.moments(of: pixels, autoencoder, observe: observe)
        }
    }

    /// - Shapes: `latents` [1, C, h, w], neither folded nor normalized → [1, 3, 8h, 8w].
    fileprivate func decode(
        _ latents: Tensor, _ autoencoder: Autoencoder, _ observe: Observer
    ) throws -> Tensor {
        switch self {
        case .whole: try autoencoder.decode(unpatched: latents, observe: observe)
        case .strips(let strips):
            try strips.decode(unpatched: latents, autoencoder, observe: observe)
        case .feathered(let tiles):
            try tiles.decode(unpatched: latents, autoencoder, observe: observe)
        case .overlapping(let tiles):
            try tiles.decode(unpatched: latents, autoencoder, observe: observe)
        }
    }

    /// How often the decoder calls its observer.
    func layers(_ configuration: AutoencoderConfiguration, height: Int, width: Int) -> Int {
        let levels = configuration.decoderWidths.count
        let units = levels * (configuration.resnetsPerLevel + 1)
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
