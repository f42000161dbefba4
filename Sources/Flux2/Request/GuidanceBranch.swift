/// The two passes of classifier-free guidance.
public enum GuidanceBranch: String, Hashable, Sendable, CaseIterable {
    /// The pass with the prompt.
    case conditional = "positive"
    /// The pass with the negative prompt.
    case unconditional = "negative"
}
