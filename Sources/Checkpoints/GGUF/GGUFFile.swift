public import FileSupport

/// A GGUF file whose data are read in place: version 2 or 3, little-endian.
///
/// Opening reads and checks the header alone, and of that no long arrays. The file stays mapped as
/// long as the object lives.
public final class GGUFFile: Sendable {
    /// The version of the format.
    public let version: Int
    /// What all tensors begin at multiples of, counted from the end of the header.
    public let alignment: Int
    /// The tensors in the order of their bytes.
    public let tensors: [GGUFTensor]
    /// What the file says about itself.
    public let metadata: [String: GGUFValue]
    /// All bytes of the file.
    public let mapped: MappedFile
    private let places: [String: Int]

    /// - Throws: `FileError` when the file cannot be opened, `GGUFError` when its header is damaged,
    ///   does not fit its size, or has a tensor of a type that is not read.
    public init(path: String) throws {
        mapped = try MappedFile(path: path)
        let header = try GGUFHeader(mapped.bytes, file: path)
        version = header.version
        alignment = header.alignment
        tensors = header.tensors
        metadata = header.metadata
        places = Dictionary(
            tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether a file begins as files of this format do; false for one that cannot be opened.
    public static func isMarked(_ path: String) -> Bool {
        guard let file = try? MappedFile(path: path) else { return false }
        return withExtendedLifetime(file) { file.bytes.prefix(4).elementsEqual("GGUF".utf8) }
    }

    /// The path it was opened by.
    public var path: String { mapped.path }
    /// Bytes of the whole file.
    public var size: Int { mapped.size }

    /// The tensor of a name.
    public subscript(_ name: String) -> GGUFTensor? { places[name].map { tensors[$0] } }

    /// The bytes of one of this file's tensors, valid as long as the file object.
    public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapped.bytes[tensor.range])
    }
}
