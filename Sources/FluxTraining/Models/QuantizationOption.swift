public import Flux2

/// `--quant_options`: `entry:method`, or `entry:method/layer,layer`, between semicolons; or a JSON
/// object.
public struct QuantizationOption: Hashable, Sendable {
    /// An entry of the model options, as it stands there.
    public var entry: String
    /// How its matrices are kept.
    public var storage: WeightStorage
    /// Layers that stay as they are.
    public var kept: [String]

    /// Methods, and what they are here.
    public static let methods: [(name: String, storage: WeightStorage)] = [
        ("int8", .matrices(.int8Rows)), ("torchao_int8_w8a16", .matrices(.int8Rows)),
        ("fp8", .matrices(.float8Rows)), ("torchao_fp8_w8a16", .matrices(.float8Rows)),
    ]

    /// Reads the option's text.
    ///
    /// - Throws: `RequestError` for a form or a method that is not known.
    public static func read(_ text: String) throws -> [QuantizationOption] {
        let text = text.trimming(while: \.isWhitespace)
        if text.hasPrefix("{") { return try QuantizationObject.read(text) }
        return try text.split(separator: ";").map { part in
            guard let colon = part.lastIndex(of: ":") else {
                throw RequestError(
                    setting: "--quant_options",
                    expected: "model:method/layer,layer;…, or a JSON object", found: "'\(part)'")
            }
            let rest = part[part.index(after: colon)...].split(
                separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            return QuantizationOption(
                entry: String(part[..<colon]).trimming(while: \.isWhitespace),
                storage: try storage(of: rest.first.map(String.init) ?? ""),
                kept: rest.count > 1 ? NameList.read(rest[1]) : [])
        }
    }

    /// - Throws: `RequestError` that lists the methods.
    static func storage(of method: String) throws -> WeightStorage {
        let method = method.trimming(while: \.isWhitespace)
        guard let found = methods.first(where: { $0.name == method }) else {
            throw RequestError(
                setting: "--quant_options",
                expected: "a method among " + methods.map(\.name).joined(separator: ", "),
                found: "'\(method)'")
        }
        return found.storage
    }
}

extension Array where Element == ModelEntry {
    /// Says how the weights of entries are kept.
    ///
    /// - Throws: `RequestError` for what is none of the entries.
    public mutating func keep(
        float8: [String], quantized: [QuantizationOption]
    ) throws {
        func place(_ text: String, _ option: String) throws -> Int {
            guard let place = firstIndex(where: { $0.text == text }) else {
                throw RequestError(
                    setting: option,
                    expected: "one of the models as they are given: "
                        + map(\.text).joined(separator: "; "), found: "'\(text)'")
            }
            return place
        }
        for text in float8 { self[try place(text, "--fp8_models")].storage = .float8 }
        for option in quantized {
            let place = try place(option.entry, "--quant_options")
            self[place].storage = option.storage
            self[place].keptAsStored = option.kept
        }
    }
}
