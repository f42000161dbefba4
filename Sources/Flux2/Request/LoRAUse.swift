internal import Domains

/// A LoRA in a generation.
public struct LoRAUse: Hashable, Sendable {
    /// A `.safetensors` file in any of the common namings.
    public var path: String
    /// Multiplies the whole change; 0 is off, negative values turn it around.
    public var strength: Double
    /// The side of classifier-free guidance that it works on; nil is both.
    public var branch: GuidanceBranch?
    /// Whether the file may be applied although the model does not have all of its modules of
    /// transformer blocks; else that is an error.
    public var mayBePartial: Bool

    /// Uses a file at a strength, on one pass of guidance or on both.
    public init(
        path: String, strength: Double = 1, branch: GuidanceBranch? = nil,
        mayBePartial: Bool = false
    ) {
        self.path = path
        self.strength = strength
        self.branch = branch
        self.mayBePartial = mayBePartial
    }

    /// How LoRAs work on the weights.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// Beside them: nothing is copied, and strengths change at no cost.
        case hot
        /// Folded into a copy of them: as fast as without, and DiffSynth-Studio's default.
        case fused
    }
}

extension LoRAUse {
    /// - Throws: `RequestError` for a strength that is no finite number, or far from any in use.
    public func check() throws {
        try NumericSetting.loraStrength.domain.require(strength, "the weight of \(path)")
    }
}
