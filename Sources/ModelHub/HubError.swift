/// A repository or a file that cannot be fetched from a hub.
public struct HubError: Error, Hashable, CustomStringConvertible {
    /// What keeps a repository or a file from being fetched.
    public enum Reason: Hashable, Sendable {
        /// Not a name of this kind.
        case badName(expected: String)
        /// The files are not here, and the network is not to be used.
        case offline(because: String, searched: [String])
        /// The files are not here.
        case notHere(searched: [String])
        /// The owner wants one to agree to a license first.
        case needsAgreement(page: String, token: String, hasToken: Bool)
        /// The hub does not know the repository, or does not show it to this user.
        case noRepository(hub: String, revision: String, advice: String)
        /// The repository has no file that fits.
        case noFile(pattern: String, examples: [String])
        /// The hub answered with an error.
        case status(Int, hub: String, attempts: Int)
        /// No answer came.
        case unreachable(String)
        /// The server sends another number of bytes than the hub lists.
        case sizeDiffers(listed: Int, sent: Int)
        /// The bytes that came are not those that the hub lists.
        case sumDiffers(kind: String, listed: String, found: String)
        /// The disk has not enough room.
        case diskFull(folder: String, needed: Int, free: Int)
        /// The hub's answer cannot be understood.
        case badAnswer(String)
        /// A server points to a place that must not be trusted.
        case badRedirect(String)
        /// A setting that cannot be used.
        case badSetting(String)
    }

    /// The repository, file or setting.
    public var subject: String
    /// What went wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a repository, file or setting and what is wrong with it.
    public init(_ subject: String, _ reason: Reason) {
        self.subject = subject
        self.reason = reason
    }

    public var description: String { subject + ": " + text }

    private var text: String {
        switch reason {
        case .badName(let expected): "expected \(expected)"
        case .offline(let because, let searched):
            "not on this machine, and \(because) forbids fetching it"
                + (searched.isEmpty ? "" : "; looked for " + searched.joined(separator: ", "))
        case .notHere(let searched):
            "not on this machine; looked for " + searched.joined(separator: ", ")
        case .needsAgreement(let page, let token, let hasToken):
            "its owner wants agreement first; open \(page), agree there, and set \(token) to a "
                + (hasToken
                    ? "token of that account (the present one is not let in)"
                    : "token of that account")
        case .noRepository(let hub, let revision, let advice):
            "\(hub) has no such repository with a revision '\(revision)', or does not show it "
                + "to you; \(advice)"
        case .noFile(let pattern, let examples):
            "no file fits '\(pattern)'; there are " + examples.joined(separator: ", ")
        case .status(let code, let hub, let attempts):
            "\(hub) answered with status \(code)"
                + (attempts > 1 ? " \(attempts) times in a row; try again later" : "")
        case .unreachable(let why): why
        case .sizeDiffers(let listed, let sent):
            "the hub lists \(listed) bytes, its server sends \(sent)"
        case .sumDiffers(let kind, let listed, let found):
            "damaged on its way twice: \(kind) should be \(listed), is \(found)"
        case .diskFull(let folder, let needed, let free):
            "needs \(needed) bytes more on the disk of \(folder), which has \(free)"
        case .badAnswer(let why): why
        case .badRedirect(let place): "the server points to \(place), which is not followed"
        case .badSetting(let why): why
        }
    }
}
