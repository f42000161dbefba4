internal import Foundation

/// Where hubs are, who asks them, and where files go; taken from the variables that
/// huggingface_hub, ModelScope and DiffSynth-Studio read.
public struct HubSettings: Sendable {
    /// The hub that is asked where nobody says another.
    public var hub: Hub
    /// Addresses without a slash at the end.
    public var endpoints: [Hub: String]
    /// Secrets; they go to the endpoints alone, and into no message.
    var tokens: [Hub: String]
    /// What forbids to use the network, if something does.
    public var offlineBecause: String?
    /// The folder of `models--owner--name`, shared with huggingface_hub.
    public var cache: String
    /// The folder of `owner/name`, as DiffSynth-Studio has it.
    public var models: String
    /// Whether `models` was named, so that files of either hub go there.
    public var modelsAreNamed: Bool
    /// Folders of `owner/name` that the user keeps, which then are the only such ones.
    public var ownFolders: [String]
    /// The cache of the package modelscope.
    public var modelScopeCache: String
    /// The folder of `owner/name` of data sets.
    public var datasets = "data"
    /// A file of certificate authorities; nil takes the system's.
    public var authorities: String?
    /// Connections at a time.
    public var connections = 8
    /// Bytes that one request asks for.
    var partSize = 64 << 20
    /// Tries without a byte of progress.
    public var attempts = 6
    /// Seconds before the second try; doubles from then on.
    public var pause = 1.0
    /// Seconds without a byte before a connection counts as dropped.
    public var patience = 30

    /// Reads the variables of this process.
    ///
    /// - Throws: `HubError` naming a variable that cannot be used.
    public init() throws {
        try self.init(environment: ProcessInfo.processInfo.environment)
    }

    /// Reads variables.
    ///
    /// - Throws: `HubError` naming one that cannot be used.
    public init(environment: [String: String]) throws {
        let home = Self.home(environment)
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        func place(_ names: String...) -> String? {
            names.lazy.compactMap { value($0) }.first.map { Self.expanded($0, environment) }
        }
        hub = try Self.hub(value("DIFFSYNTH_DOWNLOAD_SOURCE"))
        endpoints = [
            .huggingFace: try Self.endpoint(value("HF_ENDPOINT"), else: "https://huggingface.co"),
            .modelScope: try Self.endpoint(
                value("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"),
                else: "https://www.modelscope.cn"),
        ]
        let cacheHome = place("XDG_CACHE_HOME") ?? home + "/.cache"
        let huggingFace = place("HF_HOME") ?? cacheHome + "/huggingface"
        cache = place("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? huggingFace + "/hub"
        let named = place("DIFFSYNTH_MODEL_BASE_PATH")
        modelsAreNamed = named != nil
        models = named ?? "models"
        ownFolders =
            value("FLUX2_MODELS").map { text in
                text.split(separator: ":").map { Self.expanded(String($0), environment) }
            } ?? []
        modelScopeCache = place("MODELSCOPE_CACHE") ?? home + "/.cache/modelscope"
        authorities = place("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
        tokens = [:]
        tokens[.huggingFace] =
            value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
            ?? Self.line(of: place("HF_TOKEN_PATH") ?? huggingFace + "/token")
        tokens[.modelScope] = value("MODELSCOPE_API_TOKEN")
        if Self.isTrue(value("HF_HUB_DISABLE_IMPLICIT_TOKEN")) { tokens[.huggingFace] = nil }
        offlineBecause = ["DIFFSYNTH_SKIP_DOWNLOAD", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .first { Self.isTrue(value($0)) }
    }

    /// The user's folder: of `HOME`, else as the system knows it, as Python's `expanduser` has it. Without
    /// either, nothing may land in the current folder.
    private static func home(_ environment: [String: String]) -> String {
        if let home = environment["HOME"], !home.isEmpty { return home }
        if let entry = getpwuid(getuid()), let folder = entry.pointee.pw_dir {
            return String(cString: folder)
        }
        return NSTemporaryDirectory() + "flux2-\(getuid())"
    }

    /// A path with `~` and variables replaced, as Python's `expanduser` and `expandvars` do it.
    private static func expanded(_ path: String, _ environment: [String: String]) -> String {
        var path = path
        if path == "~" || path.hasPrefix("~/") { path = home(environment) + path.dropFirst() }
        return path.replacing(#/\$(?:\{(\w+)\}|(\w+))/#) { match in
            let name = String(match.1 ?? match.2 ?? "")
            return environment[name] ?? String(match.0)
        }
    }

    private static func hub(_ name: String?) throws -> Hub {
        guard let name else { return .modelScope }
        guard let hub = Hub(rawValue: name.lowercased()) else {
            throw HubError(
                "DIFFSYNTH_DOWNLOAD_SOURCE",
                .badSetting("expected modelscope or huggingface, found '\(name)'"))
        }
        return hub
    }

    /// An address from a setting that may lack the scheme.
    private static func endpoint(_ text: String?, else standard: String) throws -> String {
        guard var text else { return standard }
        if !text.contains("://") { text = "https://" + text }
        while text.hasSuffix("/") { text.removeLast() }
        guard text.hasPrefix("https://") || text.hasPrefix("http://"), Address.origin(text) != nil
        else {
            throw HubError(text, .badSetting("expected an address such as \(standard)"))
        }
        return text
    }

    private static func line(of path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return line.isEmpty ? nil : line
    }

    /// As huggingface_hub and DiffSynth-Studio together read a switch.
    private static func isTrue(_ text: String?) -> Bool {
        ["1", "true", "yes", "on"].contains(text?.lowercased() ?? "")
    }
}

/// A place that keeps models.
public enum Hub: String, Hashable, Sendable, CaseIterable {
    /// huggingface.co, or what `HF_ENDPOINT` says.
    case huggingFace = "huggingface"
    /// modelscope.cn, or what `MODELSCOPE_ENDPOINT` says.
    case modelScope = "modelscope"

    /// The name for people.
    public var title: String {
        switch self {
        case .huggingFace: "Hugging Face"
        case .modelScope: "ModelScope"
        }
    }

    /// The branch that is meant where none is named.
    public var mainRevision: String {
        switch self {
        case .huggingFace: "main"
        case .modelScope: "master"
        }
    }
}
