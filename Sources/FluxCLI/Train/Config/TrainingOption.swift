import ArgumentParser
import Foundation

/// How an option of `flux2 train` stands on the command line when a file has it.
enum TrainingOption: Hashable {
    /// Given or not; one that is on by itself can be turned off.
    case flag(isOn: Bool)
    /// One value, which may be written as a list where a separator stands between parts.
    case value(separator: String?)
    /// JSON in one value.
    case json
    /// As often as there are values.
    case repeated

    /// All options by their names with underscores, but for those that files cannot hold.
    static func all() throws -> [String: TrainingOption] {
        var options = try TrainingArguments.gathered(Train.parse([])).mapValues {
            (value: Any?) -> TrainingOption in
            switch value {
            case let flag as Bool: .flag(isOn: flag)
            case is [String]: .repeated
            default: .value(separator: nil)
            }
        }
        for name in lists { options[name] = .value(separator: ",") }
        options["quant_options"] = .value(separator: ";")
        options["model_paths"] = .json
        options["config"] = nil
        return options
    }

    private static let lists = [
        "data_file_keys", "extra_inputs", "trainable_models", "lora_target_modules",
        "model_id_with_origin_paths", "fp8_models", "offload_models",
    ]

    /// The arguments that say what a file says.
    ///
    /// - Throws: `ValidationError` about the value, to go behind file and key.
    func arguments(_ name: String, _ value: OptionValue) throws -> [String] {
        let option = "--" + name.replacing("_", with: "-")
        if case .flag(let isOn) = self {
            guard value != .absent else { return [] }
            guard case .flag(let wanted) = value else { throw refusal("true or false", value) }
            if wanted { return [option] }
            return isOn ? ["--no-" + option.dropFirst(2)] : []
        }
        switch value {
        case .absent, .flag(false): return []
        case .flag(true): throw refusal("a value", value)
        case .text(let text): return Self.pair(option, text)
        case .list(let items): return try list(items).flatMap { Self.pair(option, $0) }
        }
    }

    /// In one word, so that a value may begin with a dash; the parser takes no empty one that way.
    private static func pair(_ option: String, _ value: String) -> [String] {
        value.isEmpty ? [option, value] : ["\(option)=\(value)"]
    }

    private func list(_ items: [OptionValue]) throws -> [String] {
        switch self {
        case .repeated: return try items.map(Self.text)
        case .json: return [try Self.json(items)]
        case .value(let separator?):
            let parts = try items.map(Self.text)
            if let odd = parts.first(where: { $0.contains(separator) }) {
                throw refusal("a list of parts without '\(separator)'", .text(odd))
            }
            return [parts.joined(separator: separator)]
        case .value, .flag: throw refusal("one value", .list(items))
        }
    }

    private static func text(_ value: OptionValue) throws -> String {
        guard case .text(let text) = value else {
            throw ValidationError("must be a list of words, which has \(value.shown) in it")
        }
        return text
    }

    /// Paths, or lists of paths.
    private static func json(_ items: [OptionValue]) throws -> String {
        let plain: [Any] = try items.map { item in
            guard case .list(let shards) = item else { return try text(item) }
            return try shards.map(text)
        }
        let data = try JSONSerialization.data(
            withJSONObject: plain, options: .withoutEscapingSlashes)
        return String(decoding: data, as: UTF8.self)
    }

    private func refusal(_ expected: String, _ value: OptionValue) -> ValidationError {
        ValidationError("must be \(expected), not \(value.shown)")
    }
}
