internal import FileSupport
internal import Foundation

/// The form of a log with a row in each line, and how such a log is continued.
struct LineFormat: Sendable {
    /// How the first line reads, without its end; nil where rows begin at once.
    var header: String?
    /// What the file begins with, for errors and to know a first line that is torn.
    var beginning: String
    /// What a row looks like, for errors.
    var row: String
    /// The step of a row; nil where the line is no row.
    var step: @Sendable (ArraySlice<UInt8>) -> Int?

    /// Opens a log to be continued.
    ///
    /// A last line without an end, which a crash leaves, is cut.
    ///
    /// - Parameter last: rows of later steps are cut, too; nil leaves all, and does not read them.
    func open(_ path: String, after last: Int?) throws -> AppendedFile {
        let kept = try access(path, F_OK) == 0 ? mend(path, after: last) : 0
        let file = try AppendedFile(path: path)
        if kept == 0, let header { try file.append("\(header)\n".utf8) }
        return file
    }

    /// The rows of a file, without a torn one.
    func rows(of path: String) throws -> [(line: Int, bytes: ArraySlice<UInt8>)] {
        let bytes = try Self.bytes(of: path)
        try checkBeginning(bytes, of: path)
        let whole = bytes.prefix(through: bytes.lastIndex(of: Self.end) ?? -1)
        let lines = whole.split(separator: Self.end, omittingEmptySubsequences: false).dropLast()
        return lines.enumerated().dropFirst(header == nil ? 0 : 1).compactMap { index, line in
            line.isEmpty ? nil : (index + 1, line)
        }
    }

    /// An error at a line.
    func complaint(_ path: String, _ line: Int, _ bytes: ArraySlice<UInt8>) -> TrainingLogError {
        TrainingLogError(
            path: path,
            reason: .badLine(line, expected: row, found: String(decoding: bytes, as: UTF8.self)))
    }

    private static let end = UInt8(ascii: "\n")

    private static func bytes(of path: String) throws -> [UInt8] {
        let file = try MappedFile(path: path)
        return withExtendedLifetime(file) { Array($0.bytes) }
    }

    /// Cuts what is not to stay; returns the bytes that stayed.
    private func mend(_ path: String, after last: Int?) throws -> Int {
        let bytes = try Self.bytes(of: path)
        try checkBeginning(bytes, of: path)
        var kept = Array(bytes.prefix(through: bytes.lastIndex(of: Self.end) ?? -1))
        if let last, !kept.isEmpty { kept = try cut(path, after: last) }
        if kept != bytes { try AtomicFile.write(path, bytes: kept) }
        return kept.count
    }

    private func cut(_ path: String, after last: Int) throws -> [UInt8] {
        var kept = header.map { Array("\($0)\n".utf8) } ?? []
        for (line, bytes) in try rows(of: path) {
            guard let step = step(bytes) else { throw complaint(path, line, bytes) }
            if step <= last { kept += bytes + [Self.end] }
        }
        return kept
    }

    /// Refuses files of others, before anything in them is cut.
    private func checkBeginning(_ bytes: [UInt8], of path: String) throws {
        let first = bytes.prefix { $0 != Self.end }
        let isTorn = first.count == bytes.count
        let fits =
            if let header, !isTorn { first.elementsEqual(header.utf8) } else {
                beginning.utf8.starts(with: first.prefix(beginning.utf8.count))
                    && (header == nil || first.count <= beginning.utf8.count)
            }
        guard fits else {
            throw TrainingLogError(
                path: path,
                reason: .foreign(
                    expected: "'\(beginning)'", found: String(decoding: first, as: UTF8.self)))
        }
    }
}
