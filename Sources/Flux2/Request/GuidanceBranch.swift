/// The two passes of classifier-free guidance.
public enum GuidanceBranch: String, Hashable, Sendable, CaseIterable {
    /// The pass with the prompt, and the one with the negative prompt.
    case conditional = "positive"
    case unconditional = "negative"
}
