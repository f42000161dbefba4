/// Where things are kept from one process to the next.
enum CacheFolder {
    /// The folder that a variable names, else one of this name in the user's caches; nil for `off`, and
    /// where nothing says where the user's caches are.
    static func named(
        _ name: String, by variable: String, _ environment: [String: String]
    ) -> String? {
        if let own = environment[variable], !own.isEmpty { return own == "off" ? nil : own }
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let caches = value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" }
        return caches.map { $0 + "/flux2/" + name }
    }
}
