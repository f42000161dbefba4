internal import FileSupport

extension GGUFFile {
    /// The text of an entry; nil where there is none or it is something else.
    public func string(_ key: String) -> String? {
        guard case .string(let text) = metadata[key] else { return nil }
        return text
    }

    /// The integer of an entry; nil where there is none or it is something else.
    public func integer(_ key: String) -> Int? {
        guard case .integer(let value) = metadata[key] else { return nil }
        return value
    }

    /// The number of an entry, integer or not; nil where there is none.
    public func number(_ key: String) -> Double? { metadata[key]?.number }

    /// The truth value of an entry; nil where there is none or it is something else.
    public func boolean(_ key: String) -> Bool? {
        guard case .boolean(let value) = metadata[key] else { return nil }
        return value
    }

    /// All entries that are single numbers.
    public var numbers: [String: Double] { metadata.compactMapValues(\.number) }

    /// The texts of an array, read from the file now; nil where there are none.
    public func strings(_ key: String) throws -> [String]? {
        try elements(key) { if case .string(let text) = $0 { text } else { nil } }
    }

    /// The integers of an array, read from the file now; nil where there are none.
    public func integers(_ key: String) throws -> [Int]? {
        try elements(key) { if case .integer(let value) = $0 { value } else { nil } }
    }

    /// The numbers of an array, read from the file now; nil where there are none.
    public func numbers(_ key: String) throws -> [Double]? { try elements(key, \.number) }

    private func elements<T>(_ key: String, _ convert: (GGUFValue) -> T?) throws -> [T]? {
        guard case .array(let type, let count, let range) = metadata[key] else { return nil }
        var reader = GGUFHeaderReader(mapped.bytes, file: path, from: range.lowerBound)
        var elements: [T] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            guard let element = convert(try reader.value(of: type, key)) else { return nil }
            elements.append(element)
        }
        return elements
    }
}

extension GGUFValue {
    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .large(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
