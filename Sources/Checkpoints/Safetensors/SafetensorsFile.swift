public import FileSupport

/// A tensor file whose data are read in place.
///
/// Opening reads and checks the header alone. The file stays mapped as long as the object lives.
public final class SafetensorsFile: Sendable {
    /// The tensors in the order of their bytes.
    public let tensors: [TensorInfo]
    /// What the file says about itself.
    public let metadata: [String: String]
    /// All bytes of the file.
    public let mapped: MappedFile
    private let dataStart: Int
    private let places: [String: Int]

    /// - Throws: `FileError` when the file cannot be opened, `SafetensorsError` when its header is
    ///   damaged or does not fit its size.
    public init(path: String) throws {
        mapped = try MappedFile(path: path)
        let header = try Self.headerBytes(of: mapped)
        dataStart = 8 + header.count
        let content = try Header(header, dataSize: mapped.size - dataStart, file: path)
        tensors = content.tensors
        metadata = content.metadata
        places = Dictionary(
            tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private static func headerBytes(of file: MappedFile) throws -> [UInt8] {
        func truncated(_ expected: Int) -> SafetensorsError {
            SafetensorsError(
                file: file.path, reason: .truncated(expected: expected, found: file.size))
        }
        guard file.size >= 8 else { throw truncated(8) }
        let size = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard size <= UInt64(Header.largestSize) else {
            throw SafetensorsError(
                file: file.path,
                reason: .headerTooLarge(Int(clamping: size), limit: Header.largestSize))
        }
        guard file.size - 8 >= Int(size) else { throw truncated(8 + Int(size)) }
        return Array(file.bytes[8..<8 + Int(size)])
    }

    /// The path it was opened by.
    public var path: String { mapped.path }
    /// Bytes of the whole file.
    public var size: Int { mapped.size }

    /// The tensor of a name.
    public subscript(_ name: String) -> TensorInfo? { places[name].map { tensors[$0] } }

    /// The bytes of one of this file's tensors, valid as long as the file object.
    public func bytes(of tensor: TensorInfo) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapped.bytes[range(of: tensor)])
    }

    /// Where a tensor's bytes are, counted from the start of the file.
    public func range(of tensor: TensorInfo) -> Range<Int> {
        let start = dataStart + tensor.range.lowerBound
        return start..<start + tensor.byteCount
    }
}
