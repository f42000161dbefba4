import ArgumentParser
import Foundation

/// All options of a run by their names, as `training_args.json` keeps them.
enum TrainingArguments {
    /// Four blanks deep, as Python's `json.dump(indent=4)` writes it.
    static func json(_ command: Train) throws -> [UInt8] {
        // What files said is among the others.
        let values = gathered(command).filter { $0.key != "config" }
        let object = values.mapValues { $0 ?? NSNull() }
        let data = try JSONSerialization.data(
            withJSONObject: object, options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
        // JSONSerialization indents by two.
        let text = String(decoding: data, as: UTF8.self)
        let lines = text.components(separatedBy: "\n").map { line in
            let blanks = line.prefix { $0 == " " }.count
            return String(repeating: " ", count: 2 * blanks) + line.dropFirst(blanks)
        }
        return Array(lines.joined(separator: "\n").replacing("\" : ", with: "\": ").utf8)
    }

    /// The parsed value of every option, by its name with underscores.
    static func gathered(_ value: Any) -> [String: Any?] {
        var found: [String: Any?] = [:]
        for child in Mirror(reflecting: value).children {
            guard let label = child.label else { continue }
            if let group = child.value as? any AnyOptionGroup {
                found.merge(gathered(group.options)) { first, _ in first }
            } else if let option = child.value as? any AnyOption {
                found[snake(String(label.drop { $0 == "_" }))] = plain(option.value)
            }
        }
        return found
    }

    private static func plain(_ value: Any) -> Any? {
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .optional {
            return mirror.children.first.flatMap { plain($0.value) }
        }
        switch value {
        case let number as Int: return number
        case let number as UInt64: return NSNumber(value: number)
        case let seed as Seed: return seed.value.map { NSNumber(value: $0) } ?? -1
        case let number as Double: return number
        case let flag as Bool: return flag
        case let text as String: return text
        case let texts as [String]: return texts
        case let argument as any ExpressibleByArgument: return argument.defaultValueDescription
        default: return "\(value)"
        }
    }

    /// `datasetBasePath` as `dataset_base_path`.
    private static func snake(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            if character.isUppercase {
                text += "_" + character.lowercased()
            } else {
                text.append(character)
            }
        }
    }
}

/// Options and flags of any type, for looking at all of a command.
private protocol AnyOption {
    var value: Any { get }
}

extension Option: AnyOption {
    var value: Any { wrappedValue }
}

extension Flag: AnyOption {
    var value: Any { wrappedValue }
}

private protocol AnyOptionGroup {
    var options: Any { get }
}

extension OptionGroup: AnyOptionGroup {
    var options: Any { wrappedValue }
}
