/// Walks through the bytes of a header, of which nothing is believed.
struct GGUFHeaderReader {
    /// The longest name that the format allows.
    static let longestName = 65535

    let bytes: UnsafeRawBufferPointer
    let file: String
    /// Where the next value begins.
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, file: String, from position: Int = 0) {
        self.bytes = bytes
        self.file = file
        self.position = position
    }

    /// Bytes that are left in the file.
    var rest: Int { bytes.count - position }

    /// Passes over bytes.
    ///
    /// - Returns: where they are.
    mutating func take(_ count: Int, _ what: @autoclosure () -> String) throws -> Range<Int> {
        guard count <= rest else { throw fault(.truncated(what: what(), end: bytes.count)) }
        defer { position += count }
        return position..<position + count
    }

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ what: @autoclosure () -> String, as type: T.Type = T.self
    ) throws -> T {
        let range = try take(MemoryLayout<T>.size, what())
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: T.self))
    }

    /// A number of things that each take up some bytes of what is left.
    mutating func count(of what: String, leastByteCount: Int) throws -> Int {
        let count: UInt64 = try integer("the number of \(what)")
        guard count <= UInt64(rest / leastByteCount) else {
            throw fault(.tooMany(what: what, count: count))
        }
        return Int(count)
    }

    mutating func string(_ what: @autoclosure () -> String) throws -> String {
        let range = try passString(what())
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw fault(.malformed(expected: "\(what()) in UTF-8", found: "other bytes"))
        }
        return text
    }

    mutating func passString(_ what: @autoclosure () -> String) throws -> Range<Int> {
        let length: UInt64 = try integer("the length of \(what())")
        guard length <= UInt64(rest) else {
            throw fault(.truncated(what: "\(length) bytes of \(what())", end: bytes.count))
        }
        return try take(Int(length), what())
    }

    /// The name of a tensor or of an entry of the metadata.
    mutating func name(_ what: @autoclosure () -> String) throws -> String {
        let name = try string(what())
        guard !name.isEmpty, name.utf8.count <= Self.longestName else {
            throw fault(
                .malformed(
                    expected: "\(what()) of at most \(Self.longestName) bytes",
                    found: "\(name.utf8.count)"))
        }
        return name
    }

    func fault(_ reason: GGUFError.Reason, _ key: String? = nil) -> GGUFError {
        GGUFError(file: file, key: key, reason: reason)
    }
}
