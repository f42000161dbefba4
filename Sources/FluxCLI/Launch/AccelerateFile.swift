import ArgumentParser
import FileSupport
import Foundation

/// What this program takes from a configuration of accelerate, and what it does not.
///
/// Such files have one `key: value` a line, some of them indented under the name of a section; of
/// YAML nothing else is read.
struct AccelerateFile {
    /// `num_processes`.
    var processes: Int?
    /// `main_process_port`.
    var port: Int?
    /// `zero_stage` of `deepspeed_config`, unless it is 0.
    var zeroStage: Int?
    /// What of the file would change results and is not used, in one line.
    var remark: String?

    private struct Setting {
        var section: String?
        var key: String
        var value: String
    }

    /// - Throws: `ValidationError` for a file that asks for what this program does not do.
    init(path: String) throws {
        guard let text = WholeFile.contents(path).flatMap({ String(data: $0, encoding: .utf8) })
        else {
            throw ValidationError("\(path): cannot be read")
        }
        let settings = Self.settings(text)
        processes = try Self.number("num_processes", in: settings, 1...1024, path)
        port = try Self.number("main_process_port", in: settings, 1...65535, path)
        zeroStage = try Self.stage(settings, path)
        let machines = try Self.number("num_machines", in: settings, 1...1024, path)
        if let machines, machines > 1 {
            throw ValidationError(
                "\(path): num_machines \(machines): launch starts the processes of one machine; "
                    + "torchrun starts flux2 on several")
        }
        remark = Self.remark(settings, path)
    }

    private static func settings(_ text: String) -> [Setting] {
        var section: String?
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let plain = line.prefix { $0 != "#" }
            guard let colon = plain.firstIndex(of: ":") else { return nil }
            let key = plain[..<colon].trimmingCharacters(in: .whitespaces)
            let value = plain[plain.index(after: colon)...].trimmingCharacters(
                in: .whitespaces.union(CharacterSet(charactersIn: "'\"")))
            let isInside = plain.first?.isWhitespace == true
            if !isInside { section = value.isEmpty ? key : nil }
            return Setting(section: isInside ? section : nil, key: key, value: value)
        }
    }

    private static func number(
        _ key: String, in settings: [Setting], _ range: ClosedRange<Int>, _ path: String
    ) throws -> Int? {
        guard let found = settings.last(where: { $0.key == key }), !isUnset(found.value)
        else { return nil }
        guard let number = Int(found.value), range.contains(number) else {
            throw ValidationError(
                "\(path): \(key): expected \(range.lowerBound) to \(range.upperBound), "
                    + "found '\(found.value)'")
        }
        return number
    }

    private static func stage(_ settings: [Setting], _ path: String) throws -> Int? {
        let own = settings.filter { $0.section == "deepspeed_config" }
        let stage = try number("zero_stage", in: own, 0...3, path)
        guard stage != 3 else {
            throw ValidationError(
                "\(path): zero_stage 3: weights are not spread over processes; 1 and 2 spread the "
                    + "optimizer's state and gradients")
        }
        return stage == 0 ? nil : stage
    }

    private static func isUnset(_ value: String) -> Bool {
        ["", "no", "none", "null", "~", "false"].contains(value.lowercased())
    }

    /// What changes results, with the values that change nothing here.
    private static let telling: [String: [String]] = [
        "mixed_precision": ["bf16"], "offload_optimizer_device": [],
        "offload_param_device": [], "offload_optimizer_nvme_path": [],
        "gradient_accumulation_steps": ["1", "auto"], "gradient_clipping": ["auto"],
        "deepspeed_config_file": [], "fsdp_sharding_strategy": [], "fsdp_version": [],
        "megatron_lm_tp_degree": [],
    ]

    private static func remark(_ settings: [Setting], _ path: String) -> String? {
        let unused = settings.filter { setting in
            guard let harmless = telling[setting.key] else { return false }
            return !isUnset(setting.value) && !harmless.contains(setting.value.lowercased())
        }
        guard !unused.isEmpty else { return nil }
        let list = unused.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return "\(path): not used, though results depend on it: \(list)"
    }
}
