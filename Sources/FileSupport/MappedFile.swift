internal import CFiles
import Foundation

/// A file whose bytes are read in place, by the system's page cache.
///
/// The mapping is private and read-only: a stray write stops the program instead of changing the
/// file. It lives as long as the object.
public final class MappedFile: Sendable {
    /// The path it was opened by.
    public let path: String
    /// All bytes of the file.
    nonisolated(unsafe) public let bytes: UnsafeRawBufferPointer
    let descriptor: Int32
    private let note: Int32

    /// - Throws: `FileError` when the file cannot be opened or is no regular file.
    public init(path: String) throws {
        self.path = path
        descriptor = try WholeFile.open(path)
        do {
            bytes = try Self.map(descriptor, path)
            note =
                bytes.baseAddress.map { [size = bytes.count] in cf_note_map($0, size, path) } ?? -1
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// A file that is not there, and has no bytes.
    package init(absent path: String) {
        self.path = path
        descriptor = -1
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        note = -1
    }

    /// Has the process end with a line that names the file when one that is mapped becomes shorter,
    /// instead of by a signal. For programs; a library leaves signals alone.
    package static func explainFaults() { cf_explain_faults() }

    private static func map(_ descriptor: Int32, _ path: String) throws -> UnsafeRawBufferPointer {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError.failed("examine", path) }
        let size = Int(status.st_size)
        guard size > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
            base != MAP_FAILED
        else { throw FileError.failed("map", path) }
        return UnsafeRawBufferPointer(start: base, count: size)
    }

    deinit {
        cf_forget(note)
        if let base = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
        }
        if descriptor >= 0 { close(descriptor) }
    }

    /// Bytes in the file.
    public var size: Int { bytes.count }

    /// What will happen to a part of the file.
    public enum Advice: Sendable {
        /// It is read soon: start fetching it from the disk.
        case willNeed
        /// It is not read for a while: its pages may go.
        case dontNeed

        fileprivate var flag: Int32 {
            switch self {
            case .willNeed: Int32(MADV_WILLNEED)
            case .dontNeed: Int32(MADV_DONTNEED)
            }
        }
    }

    /// Tells the system about a range of bytes; a hint that cannot fail.
    public func advise(_ advice: Advice, _ range: Range<Int>) {
        let range = range.clamped(to: 0..<size)
        guard let base = bytes.baseAddress, !range.isEmpty else { return }
        let page = Int(getpagesize())
        let start = range.lowerBound / page * page
        let place = UnsafeMutableRawPointer(mutating: base + start)
        _ = madvise(place, range.upperBound - start, advice.flag)
    }
}
