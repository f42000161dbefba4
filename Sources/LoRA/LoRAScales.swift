internal import Foundation
internal import Safetensors

/// Alpha over rank as PEFT notes it: in the file's metadata, or in `adapter_config.json` beside it.
struct LoRAScales {
    private var fields: [String: Any] = [:]

    init(_ file: SafetensorsFile) throws {
        let beside = URL(fileURLWithPath: file.path).deletingLastPathComponent()
            .appendingPathComponent("adapter_config.json")
        if let text = file.metadata["lora_adapter_metadata"] {
            // diffusers' keys begin with the component's name.
            for (key, value) in try Self.object(Data(text.utf8), file.path) {
                fields[key.hasPrefix("transformer.") ? String(key.dropFirst(12)) : key] = value
            }
        } else if let data = try? Data(contentsOf: beside) {
            fields = try Self.object(data, beside.path)
        }
    }

    private static func object(_ data: Data, _ path: String) throws -> [String: Any] {
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw LoRAError(
                path: path, reason: .badMetadata("expected a JSON object of LoRA settings"))
        }
        return object
    }

    /// - Returns: nil where nothing is noted, so that the scale is 1.
    func scale(of module: String) -> Double? {
        let alpha = pattern("alpha_pattern", module) ?? number("lora_alpha")
        let rank = pattern("rank_pattern", module) ?? number("r")
        guard let alpha, let rank, rank > 0 else { return nil }
        return alpha / (fields["use_rslora"] as? Bool == true ? rank.squareRoot() : rank)
    }

    private func number(_ key: String) -> Double? { (fields[key] as? NSNumber)?.doubleValue }

    /// Patterns match whole names or ends of names behind a dot.
    private func pattern(_ key: String, _ module: String) -> Double? {
        guard let patterns = fields[key] as? [String: NSNumber] else { return nil }
        return patterns.first { module == $0.key || module.hasSuffix("." + $0.key) }?
            .value.doubleValue
    }
}
