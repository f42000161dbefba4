public import Torch

/// What to make a picture of, and how.
public struct GenerationRequest: Hashable, Sendable {
    public var prompt: String
    /// Encoded and used only when `cfgScale` is not 1.
    public var negativePrompt = ""
    /// Classifier-free guidance; 1 does without, at half the cost.
    public var cfgScale = 1.0
    /// Guidance as an input of the model; models without that input ignore it.
    public var embeddedGuidance = 4.0
    /// Pixels; rounded up to a multiple of 16.
    public var height = 1024
    /// Pixels; rounded up to a multiple of 16.
    public var width = 1024
    public var seed: UInt64
    /// Where noise is drawn; the same seed gives another picture on another kind of device.
    public var randomDevice = Device.cpu
    public var steps = 30

    public init(prompt: String, seed: UInt64) {
        self.prompt = prompt
        self.seed = seed
    }

    /// The longest side that is accepted, in pixels.
    public static let largestSide = 16384

    /// The size of the picture that will come out, in pixels.
    public var roundedSize: (height: Int, width: Int) {
        ((height + 15) / 16 * 16, (width + 15) / 16 * 16)
    }

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
        try require(cfgScale.isFinite, "cfg-scale", "a finite number", "\(cfgScale)")
        try require(
            embeddedGuidance.isFinite, "embedded-guidance", "a finite number",
            "\(embeddedGuidance)")
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
    public var setting: String
    public var expected: String
    public var found: String

    public init(setting: String, expected: String, found: String) {
        self.setting = setting
        self.expected = expected
        self.found = found
    }

    public var description: String { "\(setting) must be \(expected), not \(found)" }
}
