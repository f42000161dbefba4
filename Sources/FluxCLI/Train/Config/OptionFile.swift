import ArgumentParser
import FileSupport
import Foundation

/// What a file of options says about one of them.
enum OptionValue: Hashable {
    /// Nothing: as if it did not stand there.
    case absent
    case flag(Bool)
    /// Words or a number, as they are written.
    case text(String)
    case list([OptionValue])

    /// The value for error messages.
    var shown: String {
        switch self {
        case .absent: "nothing"
        case .flag(let flag): "\(flag)"
        case .text(let text): "'\(text.prefix(60))'"
        case .list(let items): "a list of \(items.count)"
        }
    }
}

/// A flat mapping of options to values, in YAML or JSON.
struct OptionFile {
    let path: String
    /// In the order of the file, under names with underscores.
    private(set) var entries: [(key: String, value: OptionValue)] = []

    /// Reads a file; its name ends in `.json`, `.yaml` or `.yml`.
    ///
    /// - Throws: `ValidationError` naming the file, and the key where it is about one.
    init(path: String) throws {
        self.path = path
        let ending = (path as NSString).pathExtension.lowercased()
        guard ["json", "yaml", "yml"].contains(ending) else {
            throw ValidationError("--config must name a .json, .yaml or .yml file, not '\(path)'")
        }
        guard let data = WholeFile.contents(path) else {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw ValidationError(
                "--config \(path): \(isThere ? "cannot be read" : "there is no such file"); the "
                    + "current folder is \(FileManager.default.currentDirectoryPath)")
        }
        let text = Array(try TextFile(Array(data), path: "--config \(path)").text.utf8)
        let found = try ending == "json" ? Self.json(text, path) : Self.yaml(Data(text), path)
        for (key, value) in found {
            let name = key.replacing("-", with: "_")
            guard !entries.contains(where: { $0.key == name }) else {
                throw ValidationError("\(path): '\(key)' is there twice")
            }
            entries.append((name, value))
        }
    }

    private static func yaml(
        _ data: Data, _ path: String
    ) throws -> [(key: String, value: OptionValue)] {
        do {
            return try YAMLOptions.read(data)
        } catch let error as YAMLError {
            throw ValidationError("\(path), line \(error.line): \(error.problem)")
        }
    }

    // MARK: JSON

    private static func json(
        _ bytes: [UInt8], _ path: String
    ) throws -> [(key: String, value: OptionValue)] {
        var found: [(key: String, value: OptionValue)] = []
        var reader = JSONReader(bytes)
        do {
            try reader.object { reader, key in
                let key = String(decoding: key, as: UTF8.self)
                reader.skipBlanks()
                let start = reader.position
                let value = try reader.value()
                let written = String(decoding: bytes[start..<reader.position], as: UTF8.self)
                found.append((key, try option(value, written, key, path)))
            }
            try reader.expectEnd()
        } catch let error as JSONError {
            throw ValidationError("\(path): \(error)")
        }
        return found
    }

    /// - Parameter written: numbers are passed on as they are, with all their digits.
    private static func option(
        _ value: JSONValue, _ written: String?, _ key: String, _ path: String
    ) throws -> OptionValue {
        switch value {
        case .null: return .absent
        case .boolean(let flag): return .flag(flag)
        case .string(let text): return .text(text)
        case .number(let number):
            return .text(written ?? Int(exactly: number).map(String.init) ?? "\(number)")
        case .array(let items):
            return .list(try items.map { try option($0, nil, key, path) })
        case .object: throw nested(key, path)
        }
    }

    private static func nested(_ key: String, _ path: String) -> ValidationError {
        ValidationError(
            "\(path): '\(key)' must be a value or a list, not a mapping: options have no groups")
    }
}
