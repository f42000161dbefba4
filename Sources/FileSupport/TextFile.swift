import Foundation

/// A text in whatever encoding its program wrote: captions, tables, lists of prompts.
///
/// A byte order mark is no part of the text. What has none and is no UTF-8 is Windows-1252, which no
/// program marks.
public struct TextFile: Hashable, Sendable {
    /// How text is put into bytes.
    public enum Encoding: String, Hashable, Sendable {
        /// With a byte order mark or without.
        case utf8 = "UTF-8"
        /// In either order of bytes, behind its mark.
        case utf16 = "UTF-16"
        /// Western letters in a byte each.
        case windows1252 = "Windows-1252"
    }

    /// The path it was read from.
    public let path: String
    /// The text, without a mark.
    public let text: String
    /// What the bytes were taken for.
    public let encoding: Encoding

    /// Reads a file to its end, a pipe as well.
    ///
    /// - Throws: `FileError` for a file that cannot be read, or holds no text.
    public init(path: String) throws {
        try self.init(Self.contents(of: path), path: path)
    }

    /// Takes bytes that have been read.
    ///
    /// - Parameter path: what errors call them.
    /// - Throws: `FileError` for bytes that are no text.
    public init(_ bytes: [UInt8], path: String) throws {
        guard let (text, encoding) = Self.decoded(bytes) else {
            throw FileError(path: path, reason: .noText)
        }
        self.path = path
        self.text = text
        self.encoding = encoding
    }

    /// The lines that hold more than blanks, without their ends.
    public var lines: [String] {
        text.split(whereSeparator: \.isNewline).map(String.init)
            .filter { !$0.allSatisfy(\.isWhitespace) }
    }

    /// What users should know about how the text was read; nil where it is as files should be.
    public var remark: String? {
        encoding == .windows1252 ? "\(path): is no UTF-8, and was read as Windows-1252" : nil
    }

    private static func contents(of path: String) throws -> [UInt8] {
        // A pipe that nobody writes to is empty, and not waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError.failed("open", path) }
        defer { close(descriptor) }
        try requireEnd(descriptor, path)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var writer = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                poll(&writer, 1, -1)
                continue
            }
            guard count >= 0 else { throw FileError.failed("read", path) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Refuses what may never end.
    private static func requireEnd(_ descriptor: Int32, _ path: String) throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError.failed("examine", path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG, S_IFIFO, S_IFDIR: return
        default: throw FileError(path: path, reason: .noFile("a device"))
        }
    }
}

// MARK: Encodings

extension TextFile {
    /// - Returns: nil for bytes that are no text in any of the encodings.
    private static func decoded(_ bytes: [UInt8]) -> (text: String, encoding: Encoding)? {
        let found: (text: String?, encoding: Encoding)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            found = (String(validating: bytes.dropFirst(3), as: UTF8.self), .utf8)
        } else if bytes.starts(with: [0xFF, 0xFE]) {
            found = (utf16(bytes.dropFirst(2)) { UInt16($0) | UInt16($1) << 8 }, .utf16)
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            found = (utf16(bytes.dropFirst(2)) { UInt16($0) << 8 | UInt16($1) }, .utf16)
        } else if let text = String(validating: bytes, as: UTF8.self) {
            found = (text, .utf8)
        } else {
            found = (windows1252(bytes), .windows1252)
        }
        // Texts have no zeros; numbers, and UTF-16 without its mark, do.
        guard let text = found.text, !text.unicodeScalars.contains("\0") else { return nil }
        return (text, found.encoding)
    }

    private static func utf16(
        _ bytes: ArraySlice<UInt8>, unit: (UInt8, UInt8) -> UInt16
    ) -> String? {
        guard bytes.count % 2 == 0 else { return nil }
        let units = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map {
            unit(bytes[$0], bytes[$0 + 1])
        }
        return String(validating: units, as: UTF16.self)
    }

    /// The letters of bytes from 0x80 to 0x9F; 0 where there is none.
    private static let letters: [UInt16] = [
        0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
        0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
    ]

    /// - Returns: nil where a byte stands for nothing, or steers a machine.
    private static func windows1252(_ bytes: [UInt8]) -> String? {
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case 0x80...0x9F: units.append(letters[Int(byte) - 0x80])
            case 0x09, 0x0A, 0x0C, 0x0D, 0x1A, 0x20...0x7E, 0xA0...0xFF: units.append(UInt16(byte))
            default: return nil
            }
        }
        return units.contains(0) ? nil : String(decoding: units, as: UTF16.self)
    }
}
