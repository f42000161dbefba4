import CYAML
import Foundation

/// What keeps a YAML text from being read as options.
struct YAMLError: Error {
    /// From 1.
    var line: Int
    var problem: String
}

/// A flat mapping of a YAML document, event by event from libyaml.
struct YAMLOptions {
    /// No option takes lists so deep, and libyaml takes the square of the depth in time.
    private static let deepest = 8

    private let reader: OpaquePointer
    private var event = cy_event()

    /// - Throws: `YAMLError`.
    static func read(_ data: Data) throws -> [(key: String, value: OptionValue)] {
        try data.withUnsafeBytes { bytes in
            guard
                let reader = cy_open(
                    bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
            else { throw YAMLError(line: 1, problem: "no memory to read it") }
            defer { cy_close(reader) }
            var options = YAMLOptions(reader: reader)
            return try options.document()
        }
    }

    private init(reader: OpaquePointer) { self.reader = reader }

    private mutating func next() throws {
        guard cy_next(reader, &event) != 0 else {
            var line = 0
            let problem = cy_problem(reader, &line).map { String(cString: $0) } ?? "is no YAML"
            throw YAMLError(line: line, problem: problem)
        }
        if event.kind == CY_ALIAS || event.marked != 0 {
            throw error("anchors, aliases and tags are not taken")
        }
    }

    private func error(_ problem: String) -> YAMLError {
        YAMLError(line: event.line, problem: problem)
    }

    private mutating func document() throws -> [(key: String, value: OptionValue)] {
        try next()
        guard event.kind == CY_DOCUMENT else { throw error("it holds no options") }
        try next()
        guard event.kind == CY_MAPPING else {
            throw error("expected 'option: value' lines, found \(kindName)")
        }
        let found = try mapping()
        try next()
        guard event.kind == CY_END else { throw error("expected one document, found a second") }
        return found
    }

    private mutating func mapping() throws -> [(key: String, value: OptionValue)] {
        var found: [(key: String, value: OptionValue)] = []
        while true {
            try next()
            guard event.kind != CY_MAPPING_END else { return found }
            guard event.kind == CY_SCALAR else {
                throw error("expected the name of an option, found \(kindName)")
            }
            let key = text
            try next()
            found.append((key, try value(of: key, depth: 0)))
        }
    }

    private mutating func value(of key: String, depth: Int) throws -> OptionValue {
        switch event.kind {
        case CY_SCALAR: return event.plain != 0 ? Self.plain(text) : .text(text)
        case CY_LIST:
            guard depth < Self.deepest else {
                throw error("'\(key)': lists lie more than \(Self.deepest) deep in each other")
            }
            return .list(try list(of: key, depth: depth + 1))
        default:
            throw error(
                "'\(key)' must be a value or a list, not a mapping: options have no groups")
        }
    }

    private mutating func list(of key: String, depth: Int) throws -> [OptionValue] {
        var items: [OptionValue] = []
        while true {
            try next()
            guard event.kind != CY_LIST_END else { return items }
            items.append(try value(of: key, depth: depth))
        }
    }

    /// What YAML's core schema takes for no value, true and false; all else stays as it is written.
    private static func plain(_ text: String) -> OptionValue {
        switch text {
        case "", "~", "null", "Null", "NULL": .absent
        case "true", "True", "TRUE": .flag(true)
        case "false", "False", "FALSE": .flag(false)
        default: .text(text)
        }
    }

    private var text: String {
        String(decoding: UnsafeBufferPointer(start: event.text, count: event.size), as: UTF8.self)
    }

    private var kindName: String {
        switch event.kind {
        case CY_SCALAR: "'\(text.prefix(40))'"
        case CY_LIST: "a list"
        case CY_MAPPING: "a mapping"
        default: "nothing"
        }
    }
}
