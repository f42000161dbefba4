import Foundation
import Checkpoints
import TestSupport
import Testing

/// A GGUF file put together byte by byte, so that it can be wrong anywhere.
struct FileBuilder {
    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var tensorCount: UInt64?
    var entryCount: UInt64?
    var dataSize = 0
    private var entries: [[UInt8]] = []
    private var tensors: [[UInt8]] = []

    static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func text(_ text: String) -> [UInt8] {
        bytes(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    /// An entry of the metadata with a type's number and a value's bytes.
    mutating func add(_ key: String, type: UInt32, _ value: [UInt8]) {
        entries.append(Self.text(key) + Self.bytes(type) + value)
    }

    /// - Parameter lengths: in the order of the file, columns first.
    mutating func add(_ name: String, _ lengths: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        tensors.append(
            Self.text(name) + Self.bytes(UInt32(lengths.count)) + lengths.flatMap(Self.bytes)
                + Self.bytes(type) + Self.bytes(offset))
    }

    var header: [UInt8] {
        magic + Self.bytes(version) + Self.bytes(tensorCount ?? UInt64(tensors.count))
            + Self.bytes(entryCount ?? UInt64(entries.count)) + entries.flatMap(\.self)
            + tensors.flatMap(\.self)
    }

    /// Data begin at a multiple of 32.
    var file: [UInt8] {
        let header = header
        let padding = (32 - header.count % 32) % 32
        return header + [UInt8](repeating: 0, count: padding)
            + (0..<dataSize).map { UInt8(truncatingIfNeeded: $0) }
    }

    func open() throws -> GGUFFile { try Self.open(file) }

    static func open(_ bytes: [UInt8]) throws -> GGUFFile {
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("x.gguf")))
        return try GGUFFile(path: folder.file("x.gguf"))
    }

    /// The one line about the file, which is refused.
    func complaint(sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let error = try #require(throws: GGUFError.self, sourceLocation: sourceLocation) {
            try open()
        }
        #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
        return String(error.description.split(separator: "x.gguf: ").last ?? "")
    }
}
