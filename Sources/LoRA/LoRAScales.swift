internal import Domains
internal import FileSupport
internal import Foundation
internal import Checkpoints

/// Alpha over rank as PEFT notes it: in the file's metadata, or in `adapter_config.json` beside it.
struct LoRAScales {
    private var fields: [String: JSONValue] = [:]
    /// Patterns in the order of the file, since the first that fits counts.
    private var patterns: [String: [Pattern]] = [:]
    private var expressions: [String: NamePattern] = [:]
    /// What is left of the work that all patterns of a file may make.
    private var steps = 5_000_000
    private let path: String

    private typealias Pattern = (text: String, value: Double)

    init(_ file: SafetensorsFile) throws {
        let beside = URL(fileURLWithPath: file.path).deletingLastPathComponent()
            .appendingPathComponent("adapter_config.json")
        if let text = file.metadata["lora_adapter_metadata"] {
            path = file.path
            try read(Array(text.utf8))
        } else if Self.isOfPEFT(file), FileManager.default.fileExists(atPath: beside.path) {
            path = beside.path
            try read(WholeFile.bytes(path))
        } else {
            path = file.path
        }
    }

    /// Whether settings beside the file are its own, and not those of a neighbor.
    private static func isOfPEFT(_ file: SafetensorsFile) -> Bool {
        URL(fileURLWithPath: file.path).lastPathComponent == "adapter_model.safetensors"
            || file.tensors.contains { $0.name.hasPrefix("base_model.model.") }
    }

    private mutating func read(_ bytes: [UInt8]) throws {
        do {
            var reader = JSONReader(bytes)
            try reader.object { reader, name in
                // diffusers' keys begin with the component's name.
                let name = String(decoding: name, as: UTF8.self)
                let key = name.hasPrefix("transformer.") ? String(name.dropFirst(12)) : name
                reader.skipBlanks()
                if key.hasSuffix("_pattern"), reader.peek() == UInt8(ascii: "{") {
                    try reader.object { reader, text in
                        guard case .number(let value) = try reader.value() else { return }
                        patterns[key, default: []].append(
                            (String(decoding: text, as: UTF8.self), value))
                    }
                } else {
                    fields[key] = try reader.value()
                }
            }
        } catch is JSONError {
            throw LoRAError(
                path: path, reason: .badMetadata("expected a JSON object of LoRA settings"))
        }
    }

    /// - Parameter rank: of the module's matrices, where they are of low rank.
    /// - Returns: nil where nothing is noted, so that the scale is 1.
    /// - Throws: `LoRAError` for a pattern that cannot be read, and for what is no alpha or rank.
    mutating func scale(of module: String, rank: Int?) throws -> Double? {
        guard
            let alpha = try pattern("alpha_pattern", module, .loraAlpha)
                ?? number("lora_alpha", .loraAlpha),
            let rank = try rank.map(Double.init) ?? pattern("rank_pattern", module, .loraRank)
                ?? number("r", .loraRank),
            rank > 0
        else { return nil }
        return alpha / (fields["use_rslora"]?.boolean == true ? rank.squareRoot() : rank)
    }

    private func number(_ key: String, _ field: NumericField) throws -> Double? {
        let found = fields[key] ?? .null
        if found == .null { return nil }
        guard case .number(let value) = found, field.domain.contains(value) else {
            throw bad("'\(key)' must be \(field.domain), not \(found.summary)")
        }
        return value
    }

    /// Patterns match whole names or ends of names behind a dot, as regular expressions.
    ///
    /// - Source: `get_pattern_key` of peft.
    private mutating func pattern(
        _ key: String, _ module: String, _ field: NumericField
    ) throws -> Double? {
        for (text, value) in patterns[key] ?? [] where try matches(text, module) {
            guard field.domain.contains(value) else {
                throw bad(
                    "'\(key)' must have \(field.domain) for '\(text.prefix(60))', not \(value)")
            }
            return value
        }
        return nil
    }

    private mutating func matches(_ pattern: String, _ module: String) throws -> Bool {
        if module == pattern || module.hasSuffix("." + pattern) { return true }
        // Most patterns are names, which there may be hundreds of.
        let isName = pattern.utf8.allSatisfy { byte in
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xDF)
        }
        guard !isName else { return false }
        do {
            let known = try expressions[pattern] ?? NamePattern(pattern)
            expressions[pattern] = known
            return try known.matches(module, behindDots: true, steps: &steps)
        } catch let error as NamePatternError {
            throw bad("the pattern '\(pattern.prefix(60))' \(error)")
        }
    }

    private func bad(_ why: String) -> LoRAError {
        LoRAError(path: path, reason: .badMetadata(why))
    }
}
