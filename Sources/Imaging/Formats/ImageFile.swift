internal import FileSupport
internal import Foundation

/// Reading of files as a whole.
enum ImageFile {
    /// - Throws: `ImagingError` without a path.
    static func bytes(of path: String) throws -> [UInt8] {
        do {
            return try WholeFile.bytes(path)
        } catch let error as FileError {
            throw ImagingError(.unreadable(cause(error)))
        }
    }

    private static func cause(_ error: FileError) -> String {
        switch error.reason {
        case .failed(_, ENOENT): "no such file"
        case .failed(_, EISDIR): "it is a folder"
        case .failed(_, EACCES): "permission denied"
        default: error.cause
        }
    }
}

/// Big-endian or little-endian numbers at places that may lie outside.
struct ByteReader {
    let bytes: ArraySlice<UInt8>
    var isBigEndian = true

    init(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool = true) {
        self.bytes = bytes
        self.isBigEndian = isBigEndian
    }

    /// The number of `size` bytes at an offset from the start; nil outside.
    func integer(_ size: Int, at offset: Int) -> Int? {
        guard let part = slice(offset, size) else { return nil }
        let ordered = isBigEndian ? Array(part) : part.reversed()
        return ordered.reduce(0) { $0 << 8 | Int($1) }
    }

    /// Bytes at an offset from the start; nil where not all of them are there.
    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
            return nil
        }
        let start = bytes.startIndex + offset
        return bytes[start..<start + count]
    }

    func starts(with text: String, at offset: Int) -> Bool {
        slice(offset, text.utf8.count)?.elementsEqual(text.utf8) ?? false
    }
}
