import Foundation

/// A file that is read past the system's page cache, for what is used once and would only drive other
/// things out; it also costs the processor less.
public final class DirectFile: Sendable {
    /// The path it was opened by.
    public let path: String
    /// Ranges begin and end at multiples of so many bytes, in the file and in memory.
    public static let alignment = 4096
    /// Bytes of one request.
    private static let request = 8 << 20
    private let descriptor: Int32
    #if os(Linux) && arch(x86_64)
        /// `O_DIRECT`, which Swift does not bring in.
        private static let direct: Int32 = 0o40000
    #elseif os(Linux)
        private static let direct: Int32 = 0o200000
    #endif

    /// - Returns: nil where the system or the file system reads no file so.
    public init?(path: String) {
        self.path = path
        #if os(Linux)
            descriptor = open(path, O_RDONLY | O_CLOEXEC | Self.direct)
        #else
            descriptor = -1
        #endif
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Reads a range; what lies behind the end of the file is left out.
    ///
    /// - Parameters:
    ///   - range: of the file, aligned.
    ///   - target: aligned memory for as many bytes.
    ///   - needed: the end of the bytes that have to be there.
    /// - Throws: `FileError` where they are not.
    public func read(
        _ range: Range<Int>, needed: Int, into target: UnsafeMutableRawPointer
    ) throws {
        var place = range.lowerBound
        while place < range.upperBound {
            let count = min(Self.request, range.upperBound - place)
            let found = pread(
                descriptor, target + (place - range.lowerBound), count, off_t(place))
            if found < 0, errno == EINTR { continue }
            guard found > 0 || place >= needed else { throw FileError.failed("read", path) }
            if found <= 0 { return }
            place += found
        }
    }
}
