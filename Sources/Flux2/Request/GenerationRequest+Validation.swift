internal import FluxModels
internal import Imaging

extension GenerationRequest {
    /// Checks what can be checked before anything is loaded.
    ///
    /// - Throws: `RequestError` naming the first setting that is out of range.
    public func validate() throws {
        for (name, value) in [("height", height), ("width", width)] {
            try require(
                (1...Self.largestSide).contains(value), name, "1 to \(Self.largestSide) pixels",
                "\(value)")
        }
        try require((1...10_000).contains(steps), "steps", "1 to 10000", "\(steps)")
        if let textLength {
            try require(
                (1...4096).contains(textLength), "t5-sequence-length", "1 to 4096 tokens",
                "\(textLength)")
        }
        if let stepCache {
            try require(
                stepCache >= 0 && stepCache.isFinite, "step-cache", "a number from 0 on",
                "\(stepCache)")
        }
        try require(cfgScale.isFinite, "cfg-scale", "a finite number", "\(cfgScale)")
        try require(
            embeddedGuidance.isFinite, "embedded-guidance", "a finite number",
            "\(embeddedGuidance)")
        try require(
            (0...1).contains(denoisingStrength), "denoising-strength", "0 to 1",
            "\(denoisingStrength)")
        for lora in loras {
            try require(
                lora.strength.isFinite, "lora \(lora.path)", "of a finite weight",
                "\(lora.strength)")
            try require(
                lora.branch != .negative || cfgScale != 1, "negative-lora",
                "given with a --cfg-scale other than 1", "without")
        }
        try require(
            Set(loras.map(\.path)).count == loras.count, "lora", "named once each",
            loras.map(\.path).joined(separator: ", "))
        try validatePictures()
        try validateTiling()
    }

    private func validatePictures() throws {
        let size = roundedSize
        let rounded = "\(size.width)x\(size.height)"
        if let image = inputImage {
            try require(
                image.width == size.width && image.height == size.height, "input-image",
                "\(rounded) pixels as the picture, or fitted with --fit-input-image",
                "\(image.width)x\(image.height)")
        }
        try require(
            inputImage != nil || denoisingStrength == 1, "denoising-strength",
            "1 without --input-image", "\(denoisingStrength)")
        if !resizesEditImages {
            for (index, image) in editImages.enumerated() {
                try require(
                    image.width % 16 == 0 && image.height % 16 == 0, "edit-image \(index + 1)",
                    "of sides that are multiples of 16 when it is not resized",
                    "\(image.width)x\(image.height)")
            }
        }
        try validateInpainting()
    }

    private func validateInpainting() throws {
        guard let inpainting else { return }
        let (size, mask) = (roundedSize, inpainting.mask)
        try require(
            inputImage != nil, "inpaint-mask", "given with --input-image", "without")
        try require(
            mask.width * size.height == mask.height * size.width, "inpaint-mask",
            "of the picture's proportions, \(size.width)x\(size.height)",
            "\(mask.width)x\(mask.height)")
        guard let blur = inpainting.blur else { return }
        let limit = min(size.height, size.width) / 16
        try require(
            (0..<limit).contains(blur.size), "inpaint-blur-size",
            "0 to \(limit - 1) tokens for \(size.width)x\(size.height) pixels", "\(blur.size)")
        try require(
            blur.sigma > 0 && blur.sigma.isFinite, "inpaint-blur-sigma", "above 0",
            "\(blur.sigma)")
    }

    private func validateTiling() throws {
        guard case .feathered(let tiles) = tiling else { return }
        try require(tiles.size >= 8, "tile-size", "8 latents or more", "\(tiles.size)")
        try require(
            (1...tiles.size).contains(tiles.stride), "tile-stride", "1 to \(tiles.size)",
            "\(tiles.stride)")
    }

    private func require(
        _ holds: Bool, _ setting: String, _ expected: String, _ found: String
    ) throws {
        guard holds else {
            throw RequestError(setting: setting, expected: expected, found: found)
        }
    }
}

/// A setting that no picture can be made with.
public struct RequestError: Error, Hashable, CustomStringConvertible {
    /// The option or argument, as the command line or DiffSynth-Studio spells it.
    public var setting: String
    /// What would be accepted; completes "must be …".
    public var expected: String
    /// What was given; completes "not …".
    public var found: String

    /// Names a setting with what it must be and what it is.
    public init(setting: String, expected: String, found: String) {
        self.setting = setting
        self.expected = expected
        self.found = found
    }

    public var description: String { "\(setting) must be \(expected), not \(found)" }
}
