extension GGUFHeaderReader {
    /// Arrays in arrays are passed over up to this depth.
    private static let deepestArray = 8

    /// A value of the metadata. Arrays are passed over, which takes no memory.
    mutating func value(of key: String) throws -> GGUFValue {
        try value(of: valueType(key), key)
    }

    /// A value of a known type.
    mutating func value(of type: GGUFValueType, _ key: String) throws -> GGUFValue {
        switch type {
        case .uint8: .integer(Int(try integer(key, as: UInt8.self)))
        case .int8: .integer(Int(try integer(key, as: Int8.self)))
        case .uint16: .integer(Int(try integer(key, as: UInt16.self)))
        case .int16: .integer(Int(try integer(key, as: Int16.self)))
        case .uint32: .integer(Int(try integer(key, as: UInt32.self)))
        case .int32: .integer(Int(try integer(key, as: Int32.self)))
        case .uint64: Self.unsigned(try integer(key))
        case .int64: .integer(Int(try integer(key, as: Int64.self)))
        case .float32: .number(Double(Float(bitPattern: try integer(key))))
        case .float64: .number(Double(bitPattern: try integer(key)))
        case .bool: .boolean(try boolean(key))
        case .string: .string(try string("the text of '\(key)'"))
        case .array: try passArray(key)
        }
    }

    private static func unsigned(_ value: UInt64) -> GGUFValue {
        Int(exactly: value).map { .integer($0) } ?? .large(value)
    }

    private mutating func boolean(_ key: String) throws -> Bool {
        let byte: UInt8 = try integer(key)
        guard byte <= 1 else { throw fault(.malformed(expected: "0 or 1", found: "\(byte)"), key) }
        return byte == 1
    }

    private mutating func valueType(_ key: String) throws -> GGUFValueType {
        let number: UInt32 = try integer("the type of '\(key)'")
        guard let type = GGUFValueType(rawValue: number) else {
            throw fault(.malformed(expected: "a type from 0 to 12", found: "\(number)"), key)
        }
        return type
    }

    private mutating func passArray(_ key: String, depth: Int = 1) throws -> GGUFValue {
        guard depth <= Self.deepestArray else {
            throw fault(
                .malformed(
                    expected: "arrays in at most \(Self.deepestArray) levels", found: "more"), key)
        }
        let type = try valueType(key)
        let count = try count(
            of: "elements of '\(key)'", leastByteCount: type.leastByteCount)
        let start = position
        if let size = type.byteCount {
            // No overflow: so many elements fit into the file.
            _ = try take(count * size, key)
        } else {
            for _ in 0..<count {
                if type == .string {
                    _ = try passString("a text of '\(key)'")
                } else {
                    _ = try passArray(key, depth: depth + 1)
                }
            }
        }
        return .array(of: type, count: count, range: start..<position)
    }
}
