/// Where things are kept from one process to the next.
enum CacheFolder {
    /// The folder that a variable names, else one of this name in the user's caches; nil for `off`.
    static func named(
        _ name: String, by variable: String, _ environment: [String: String]
    ) -> String? {
        if let own = environment[variable], !own.isEmpty { return own == "off" ? nil : own }
        let home = environment["HOME"] ?? "."
        let caches = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (caches ?? home + "/.cache") + "/flux2/" + name
    }
}
