/// A model that cannot be put together from what is on disk.
public struct ModelError: Error, Hashable, CustomStringConvertible {
    /// What keeps the model from being put together.
    public enum Reason: Hashable, Sendable {
        /// No folder or file of this name.
        case notFound(searched: [String])
        /// The folder has no such component.
        case missingComponent(String, expected: String)
        /// Something is there, but not what is needed.
        case wrongContent(expected: String, found: String)
        /// A configuration file that cannot be read.
        case badConfiguration(String)
        /// Two parts that do not belong together.
        case mismatch(String)
        /// What came out is NaN, though all weights are.
        case notFinite(String, dtype: String)
    }

    /// The file, folder, name or argument that the error is about.
    public var path: String
    /// What was expected there and what was found.
    public var reason: Reason

    /// Names a place and what is wrong with it.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .notFound(let searched):
            "\(path): no such model; looked for " + searched.joined(separator: ", ")
                + Nearest.model(path, or: [BundledModel.name])
        case .missingComponent(let component, let expected):
            "\(path): no \(component) (expected \(expected))"
        case .wrongContent(let expected, let found):
            "\(path): expected \(expected), found \(found)"
        case .badConfiguration(let why): "\(path): \(why)"
        case .mismatch(let why): "\(path): \(why)"
        case .notFinite(let what, let dtype):
            "\(path): gave \(what) that are not finite in \(dtype), though its weights are; "
                + "a LoRA, an input or a narrow type may be the cause"
        }
    }
}
