internal import Flux2
internal import FileSupport

/// `--quant_options` as a JSON object: models as they are given, with a method or an object of
/// settings each.
///
/// - Source: DiffSynth-Studio 2.1.12.
enum QuantizationObject {
    /// - Throws: `RequestError` for another form, and for a setting that is not honored.
    static func read(_ text: String) throws -> [QuantizationOption] {
        var reader = JSONReader(Array(text.utf8))
        guard let object = try? reader.document().object else {
            throw refusal(
                #"a JSON object such as {"model": {"method": "int8"}}"#, "'\(text.prefix(80))'")
        }
        return try object.sorted { $0.key < $1.key }.map { try option($0.key, $0.value) }
    }

    private static func option(_ entry: String, _ value: JSONValue) throws -> QuantizationOption {
        if let method = value.string {
            return .init(
                entry: entry, storage: try QuantizationOption.storage(of: method), kept: [])
        }
        guard let settings = value.object, let method = settings["method"]?.string else {
            throw refusal("JSON with a method for '\(entry)'", value.summary)
        }
        try check(settings, entry)
        return .init(
            entry: entry, storage: try QuantizationOption.storage(of: method),
            kept: try names(settings["exclude_modules"] ?? .null, entry))
    }

    /// What changes the result and is not done is refused.
    private static func check(_ settings: [String: JSONValue], _ entry: String) throws {
        let known = ["method", "exclude_modules", "mode"]
        for (key, value) in settings where !known.contains(key) && value != .null {
            throw refusal(
                "JSON whose settings are among \(known.joined(separator: ", "))",
                "'\(key)' of '\(entry)'")
        }
        let mode = settings["mode"] ?? .null
        guard mode == .null || mode.string == "dynamic" else {
            throw refusal("JSON with the mode 'dynamic'", mode.summary)
        }
    }

    private static func names(_ value: JSONValue, _ entry: String) throws -> [String] {
        if value == .null { return [] }
        if let text = value.string { return NameList.read(text) }
        let names = value.array?.compactMap(\.string) ?? []
        guard let all = value.array, names.count == all.count else {
            throw refusal("JSON whose exclude_modules are names, for '\(entry)'", value.summary)
        }
        return names
    }

    private static func refusal(_ expected: String, _ found: String) -> RequestError {
        RequestError(setting: "--quant_options", expected: expected, found: found)
    }
}
