package import Domains
internal import FluxModels
internal import Imaging

extension GenerationRequest {
    /// Checks what can be checked before anything is loaded.
    ///
    /// - Throws: `RequestError` naming the first setting that is out of range.
    public func validate() throws {
        try NumericSetting.height.require(height)
        try NumericSetting.width.require(width)
        try NumericSetting.steps.require(steps)
        try NumericSetting.textLength.require(textLength)
        try NumericSetting.stepCache.require(stepCache)
        try NumericSetting.cfgScale.require(cfgScale)
        try NumericSetting.embeddedGuidance.require(embeddedGuidance)
        try NumericSetting.denoisingStrength.require(denoisingStrength)
        for lora in loras {
            try lora.check()
            try require(
                lora.branch != .unconditional || cfgScale != 1, "negative-lora",
                "given with a --cfg-scale other than 1", "without")
        }
        try require(
            Set(loras.map(\.path)).count == loras.count, "lora", "named once each",
            loras.map(\.path).joined(separator: ", "))
        try validateImages()
        try validateTensors()
        try tiling.check()
    }

    /// Refuses inputs of other ranks or types, before a model is looked at.
    private func validateTensors() throws {
        try initialNoise?.require("initial-noise", "[1, C, h, w]", axes: 4)
        for extras in [extras, negativeExtras] {
            try extras.textEmbedding?.require("extra-text-embedding", "[1, T, J]", axes: 3)
            for cache in extras.caches.values {
                try cache.keys.require("kv-cache", "[1, T, H, d]", axes: 4)
                try cache.values.require("kv-cache", "[1, T, H, d]", axes: 4)
            }
        }
    }

    private func validateImages() throws {
        let size = roundedSize
        let rounded = "\(size.width)x\(size.height)"
        if let image = inputImage {
            try require(
                image.width == size.width && image.height == size.height, "input-image",
                "\(rounded) pixels as the image, or fitted with --fit-input-image",
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
            "of the image's proportions, \(size.width)x\(size.height)",
            "\(mask.width)x\(mask.height)")
        guard let blur = inpainting.blur else { return }
        try NumericSetting.inpaintBlurSigma.require(blur.sigma)
        let limit = min(size.height, size.width) / 16
        try require(
            (0..<limit).contains(blur.size), "inpaint-blur-size",
            "0 to \(limit - 1) tokens for \(size.width)x\(size.height) pixels", "\(blur.size)")
    }

    private func require(
        _ holds: Bool, _ setting: String, _ expected: String, _ found: String
    ) throws {
        guard holds else {
            throw RequestError(setting: setting, expected: expected, found: found)
        }
    }
}

/// A setting that no image can be made with.
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

extension NumericSetting {
    /// - Throws: `RequestError` naming the property; nil is no number and passes.
    package func require(_ value: Int?) throws {
        if let value { try domain.require(value, property) }
    }

    /// - Throws: `RequestError` naming the property; nil is no number and passes.
    package func require(_ value: Double?) throws {
        if let value { try domain.require(value, property) }
    }
}

extension NumberDomain {
    /// - Throws: `RequestError` for a number that is none of the values.
    func require(_ value: Int, _ setting: String) throws {
        guard !contains(value) else { return }
        throw RequestError(setting: setting, expected: "\(self)", found: "\(value)")
    }

    /// - Throws: `RequestError` for a number that is none of the values.
    func require(_ value: Double, _ setting: String) throws {
        guard !contains(value) else { return }
        throw RequestError(setting: setting, expected: "\(self)", found: "\(value)")
    }
}

extension HostTensor {
    /// Refuses a tensor of another rank or no floating-point type, and one of more than one sample.
    fileprivate func require(_ setting: String, _ expected: String, axes: Int) throws {
        _ = try elementType(for: setting)
        guard shape.count == axes, shape[0] == 1, shape.allSatisfy({ $0 > 0 }) else {
            throw RequestError(setting: setting, expected: expected, found: "\(shape)")
        }
    }
}
