/// The passes of classifier-free guidance.
public enum GuidanceBranch: String, Hashable, Sendable, CaseIterable {
    /// The prompt's side, and the negative prompt's.
    case conditional = "positive"
    case unconditional = "negative"
}
