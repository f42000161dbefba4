internal import FileSupport
internal import Foundation

/// A tensor on its way to a file.
public struct TensorToWrite {
    /// Takes the bytes of a tensor piece by piece.
    public typealias Sink = (UnsafeRawBufferPointer) throws -> Void

    /// The name in the file, once only.
    public var name: String
    /// The type that the bytes are in.
    public var type: ElementType
    /// Lengths of the dimensions, outermost first; with ``type`` they decide the number of bytes.
    public var shape: [Int]
    /// Hands all bytes to a sink, in order; called once, when their place in the file is reached.
    public var source: (Sink) throws -> Void

    /// A tensor whose bytes are made when they are written.
    public init(
        name: String, type: ElementType, shape: [Int], source: @escaping (Sink) throws -> Void
    ) {
        self.name = name
        self.type = type
        self.shape = shape
        self.source = source
    }

    /// A tensor whose bytes are at hand.
    public init(name: String, type: ElementType, shape: [Int], bytes: [UInt8]) {
        self.init(name: name, type: type, shape: shape) { sink in
            try bytes.withUnsafeBytes { try sink($0) }
        }
    }
}

/// Writes tensor files without holding more than one tensor in memory.
public enum SafetensorsWriter {
    /// How tensors follow each other in a file.
    public enum Order: Hashable, Sendable {
        /// By the width of their elements, widest first, then by name, so that all are aligned.
        case aligned
        /// As they are given; one that lies askew then is copied when it is read.
        case given
    }

    /// Writes a file, which appears complete or not at all.
    ///
    /// - Parameter requiresFinite: refuses values that are not finite, which nobody can use.
    /// - Throws: `SafetensorsError` for a repeated name, an impossible shape, a source that gives
    ///   another number of bytes than its shape needs, or values that are not finite; `FileError`;
    ///   what a source throws.
    public static func write(
        to path: String, tensors: [TensorToWrite], metadata: [String: String] = [:],
        order: Order = .aligned, overwrite: Bool = true, requiresFinite: Bool = true
    ) throws {
        let ordered =
            order == .given
            ? tensors
            : tensors.sorted { ($1.type.byteCount, $0.name) < ($0.type.byteCount, $1.name) }
        let header = try header(ordered, metadata, path)
        try AtomicFile.write(path, overwrite: overwrite) { descriptor in
            try header.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, of: path) }
            for tensor in ordered { try append(tensor, to: descriptor, path, requiresFinite) }
        }
    }

    private static func append(
        _ tensor: TensorToWrite, to descriptor: Int32, _ path: String, _ requiresFinite: Bool
    ) throws {
        let expected = tensor.type.byteCount(of: tensor.shape) ?? 0
        var found = 0
        var check = FiniteCheck(tensor.type)
        try tensor.source { bytes in
            found += bytes.count
            if requiresFinite { check.add(bytes) }
            guard check.holds else {
                throw SafetensorsError(file: path, key: tensor.name, reason: .notFinite)
            }
            try AtomicFile.append(bytes, to: descriptor, of: path)
        }
        guard found == expected else {
            throw SafetensorsError(
                file: path, key: tensor.name, reason: .badSource(expected: expected, found: found))
        }
    }

    /// The header with its length before it, padded so that the data start at a multiple of eight.
    private static func header(
        _ tensors: [TensorToWrite], _ metadata: [String: String], _ path: String
    ) throws -> [UInt8] {
        var entries: [String] = []
        if !metadata.isEmpty {
            let notes = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
            entries.append("\"__metadata__\":{\(notes.joined(separator: ","))}")
        }
        var names: Set<String> = ["__metadata__"]
        var start = 0
        for tensor in tensors {
            guard names.insert(tensor.name).inserted else {
                throw SafetensorsError(
                    file: path, key: tensor.name, reason: .duplicate(other: nil))
            }
            let end = try self.end(of: tensor, startingAt: start, path)
            entries.append(entry(tensor, start, end))
            start = end
        }
        return framed("{\(entries.joined(separator: ","))}")
    }

    private static func end(
        of tensor: TensorToWrite, startingAt start: Int, _ path: String
    ) throws -> Int {
        let size = tensor.type.byteCount(of: tensor.shape)
        let (end, overflows) = start.addingReportingOverflow(size ?? .max)
        guard size != nil, !overflows else {
            throw SafetensorsError(file: path, key: tensor.name, reason: .badShape(tensor.shape))
        }
        return end
    }

    private static func entry(_ tensor: TensorToWrite, _ start: Int, _ end: Int) -> String {
        let shape = tensor.shape.map(String.init).joined(separator: ",")
        return "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\","
            + "\"shape\":[\(shape)],\"data_offsets\":[\(start),\(end)]}"
    }

    private static func framed(_ text: String) -> [UInt8] {
        var body = Array(text.utf8)
        body.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - body.count % 8) % 8))
        return withUnsafeBytes(of: UInt64(body.count).littleEndian) { Array($0) } + body
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case ..<" ": "\\u" + ("000" + String(scalar.value, radix: 16)).suffix(4)
            default: String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }
}
