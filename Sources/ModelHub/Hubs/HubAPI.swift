/// How one hub is asked.
protocol HubAPI: Sendable {
    var hub: Hub { get }
    var settings: HubSettings { get }

    /// The page that people open.
    func page(of repository: Repository) -> String
    /// Where a file is.
    func address(of path: String, in snapshot: Snapshot) -> String
    /// Asks what a repository holds.
    func snapshot(
        of repository: Repository, revision: String, by request: HubRequest
    ) throws -> Snapshot
    /// The headers that carry a token.
    func headers(token: String) -> [String]
    /// The variable that a token is set in.
    var tokenVariable: String { get }
}

extension HubAPI {
    var endpoint: String { settings.endpoints[hub] ?? "" }

    /// What proves who asks.
    ///
    /// - Throws: `HubError` when the token would be sent in clear text.
    func credentials() throws -> HTTPSession.Credentials? {
        guard let token = settings.tokens[hub], let origin = Address.origin(endpoint) else {
            return nil
        }
        guard Address.isSecure(endpoint) || Address.isLoopback(endpoint) else {
            throw HubError(
                tokenVariable,
                .badSetting(
                    "is not sent to \(Address.shown(endpoint)), which is without encryption"))
        }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ";") })
        else {
            throw HubError(tokenVariable, .badSetting("holds characters that no token has"))
        }
        return HTTPSession.Credentials(origin: origin, headers: headers(token: token))
    }

    /// What an answer that is no success means to users.
    ///
    /// - Parameter file: what was asked for, if not the listing.
    func explain(
        _ error: HTTPError, _ repository: Repository, revision: String, file: String? = nil
    ) -> HubError {
        let subject = file.map { "\(repository.id): \($0)" } ?? repository.id
        guard case .status(let head, _) = error else {
            return HubError(subject, .unreachable("\(error)"))
        }
        // Servers that files are fetched from in the end know nothing of users.
        guard head.origin == Address.origin(endpoint) else {
            let host = head.origin.map(Address.host) ?? "a server"
            return HubError(subject, .status(head.status, hub: host, attempts: 1))
        }
        let hasToken = settings.tokens[hub] != nil
        let isGated = head.fields["x-error-code"] == "GatedRepo"
        let reason: HubError.Reason =
            switch head.status {
            case 401, 403:
                isGated || head.status == 403
                    ? .needsAgreement(
                        page: Address.shown(page(of: repository)), token: tokenVariable,
                        hasToken: hasToken)
                    : .noRepository(
                        hub: hub.title, revision: revision,
                        advice: hasToken
                            ? "\(tokenVariable) may have ended"
                            : "if it is private, set \(tokenVariable)")
            case 404 where file == nil:
                .noRepository(
                    hub: hub.title, revision: revision,
                    advice: "look at its name, or try --hub \(other.rawValue)")
            default: .status(head.status, hub: hub.title, attempts: 1)
            }
        return HubError(subject, reason)
    }

    private var other: Hub { hub == .huggingFace ? .modelScope : .huggingFace }
}

extension HubSettings {
    func api(_ hub: Hub) -> any HubAPI {
        switch hub {
        case .huggingFace: HuggingFaceAPI(settings: self)
        case .modelScope: ModelScopeAPI(settings: self)
        }
    }
}
