internal import Foundation

/// Where models are kept on this machine.
public enum ModelPlaces {
    /// The folders in which a model of this name may be, in the order in which they are looked at.
    ///
    /// A path; then `FLUX2_MODELS`; then DiffSynth-Studio's and ModelScope's `models/owner/name`;
    /// then the cache of Python's huggingface_hub; then this program's own.
    ///
    /// - Parameter name: a path, a variant's name, or a repository's.
    public static func candidates(_ name: String) -> [String] {
        let names = Variant(rawValue: name.lowercased()).map { [$0.hubID, name] } ?? [name]
        // A path is no name to look up anywhere.
        guard name.split(separator: "/").count <= 2, !name.hasPrefix("/"), !name.hasPrefix(".")
        else {
            return [name]
        }
        var found = [name]
        for name in names {
            found += roots.map { $0 + "/" + name }
            if let snapshot = hubSnapshot(name) { found.append(snapshot) }
        }
        return found
    }

    private static var environment: [String: String] { ProcessInfo.processInfo.environment }
    private static var home: String { environment["HOME"] ?? "." }

    private static var roots: [String] {
        if let own = environment["FLUX2_MODELS"] {
            return own.split(separator: ":").map(String.init)
        }
        return [
            environment["DIFFSYNTH_MODEL_BASE_PATH"] ?? "models", home + "/.cache/flux2/models",
        ]
    }

    /// The folder of huggingface_hub's cache.
    static var hubCache: String {
        if let cache = environment["HF_HUB_CACHE"] ?? environment["HUGGINGFACE_HUB_CACHE"] {
            return cache
        }
        let cache = environment["XDG_CACHE_HOME"] ?? home + "/.cache"
        return (environment["HF_HOME"] ?? cache + "/huggingface") + "/hub"
    }

    /// The snapshot of a repository that `main` points at, else the only one.
    private static func hubSnapshot(_ id: String) -> String? {
        guard id.split(separator: "/").count == 2 else { return nil }
        let folder = hubCache + "/models--" + id.replacing("/", with: "--")
        let snapshots = folder + "/snapshots"
        if let commit = try? String(contentsOfFile: folder + "/refs/main", encoding: .utf8) {
            return snapshots + "/" + commit.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let all = (try? FileManager.default.contentsOfDirectory(atPath: snapshots)) ?? []
        return all.count == 1 ? snapshots + "/" + all[0] : nil
    }
}
