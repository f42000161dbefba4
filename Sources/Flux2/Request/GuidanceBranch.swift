/// The sides of classifier-free guidance.
public enum GuidanceBranch: String, Hashable, Sendable, CaseIterable {
    case positive, negative
}
