public import Flux2

/// `--quant_options`: `entry:method`, or `entry:method/layer,layer`, between semicolons.
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
        try text.split(separator: ";").map { part in
            guard let colon = part.lastIndex(of: ":") else {
                throw RequestError(
                    setting: "--quant_options", expected: "model:method/layer,layer;…",
                    found: "'\(part)'")
            }
            let rest = part[part.index(after: colon)...].split(
                separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let name = rest.first.map(String.init) ?? ""
            guard let method = methods.first(where: { $0.name == name }) else {
                throw RequestError(
                    setting: "--quant_options",
                    expected: "a method among " + methods.map(\.name).joined(separator: ", "),
                    found: "'\(name)'")
            }
            return QuantizationOption(
                entry: String(part[..<colon]), storage: method.storage,
                kept: rest.count > 1 ? rest[1].split(separator: ",").map(String.init) : [])
        }
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
