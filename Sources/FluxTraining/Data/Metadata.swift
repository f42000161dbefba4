internal import FileSupport
internal import Foundation

/// The rows of a metadata file, or of a folder of images with captions beside them.
public struct Metadata: Hashable, Sendable {
    /// The file or folder.
    public let path: String
    /// At least one row.
    public let rows: [MetadataRow]
    /// What users should know: encodings that were guessed, images that are left out.
    public private(set) var remarks: [String] = []

    /// Takes rows as they are.
    ///
    /// - Throws: `DataError` when there is none.
    public init(path: String, rows: [MetadataRow]) throws {
        guard !rows.isEmpty else {
            throw DataError(path: path, reason: .empty("it has no rows"))
        }
        self.path = path
        self.rows = rows
    }

    /// Reads `.json` (an array of objects), `.jsonl` (an object on each line), or any other file as
    /// CSV with a header, as DiffSynth-Studio does; for a folder see ``init(folder:)``.
    ///
    /// - Throws: `DataError`.
    public init(path: String) throws {
        let file = try Self.text(path)
        let rows =
            switch (path as NSString).pathExtension.lowercased() {
            case "json": try Self.json(file.text, path)
            case "jsonl": try Self.jsonLines(file.text, path)
            default: try Self.csv(file.text, path)
            }
        try self.init(path: path, rows: rows)
        remarks = [file.remark].compactMap(\.self)
    }

    private static func text(_ path: String) throws -> TextFile {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
            !isFolder.boolValue
        else {
            throw DataError(
                path: path,
                reason: .unreadable(isFolder.boolValue ? "it is no file" : "it is not there"))
        }
        return try TextFile.ofDataSet(path)
    }

    /// Takes every image of a folder that has a caption in a `.txt` or `.caption` file beside it.
    ///
    /// - Throws: `DataError` for an image without caption, and a folder without images.
    public init(folder: String) throws {
        var captions = try CaptionedFolder(folder)
        try self.init(path: folder, rows: captions.rows())
        remarks = captions.remarks
    }

    private static func row(_ value: JSONValue) -> MetadataRow? {
        value.object.map { $0.mapValues(MetadataValue.init) }
    }

    private static func json(_ text: String, _ path: String) throws -> [MetadataRow] {
        do {
            var reader = JSONReader(Array(text.utf8))
            let document = try reader.document()
            guard let items = document.array else {
                throw DataError(path: path, reason: .malformed("is no JSON array of objects"))
            }
            return try items.enumerated().map { index, item in
                guard let row = row(item) else {
                    throw DataError(
                        path: path, row: index + 1, reason: .malformed("is no JSON object"))
                }
                return row
            }
        } catch let error as JSONError {
            throw DataError(path: path, reason: .malformed("\(error)"))
        }
    }

    /// Blank lines are no rows, as in CSV.
    private static func jsonLines(_ text: String, _ path: String) throws -> [MetadataRow] {
        // Inside of JSON's strings, line ends are written out.
        let lines = text.utf8.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .filter { !$0.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }
        return try lines.enumerated().map { index, line in
            do {
                var reader = JSONReader(Array(line))
                guard let row = row(try reader.document()) else {
                    throw DataError(
                        path: path, row: index + 1, reason: .malformed("is no JSON object"))
                }
                return row
            } catch let error as JSONError {
                throw DataError(path: path, row: index + 1, reason: .malformed("\(error)"))
            }
        }
    }

    private static func csv(_ text: String, _ path: String) throws -> [MetadataRow] {
        var records = try CSV.records(text, path)
        guard !records.isEmpty else { return [] }
        let header = records.removeFirst()
        guard Set(header).count == header.count else {
            throw DataError(path: path, row: 1, reason: .malformed("names a column twice"))
        }
        return try records.enumerated().map { index, cells in
            guard cells.count <= header.count else {
                throw DataError(
                    path: path, row: index + 2,
                    reason: .malformed(
                        "has \(cells.count) cells for \(header.count) columns; "
                            + "a text with commas stands between quotes"))
            }
            // A short row does not have the rest of the columns.
            let values = cells.map { $0.isEmpty ? MetadataValue.missing : .text($0) }
            return Dictionary(zip(header, values)) { first, _ in first }
        }
    }
}

extension TextFile {
    /// A file of a data set.
    ///
    /// - Throws: `DataError` naming it.
    static func ofDataSet(_ path: String) throws -> TextFile {
        do {
            return try TextFile(path: path)
        } catch let error as FileError {
            throw DataError(path: path, reason: .malformed(error.cause))
        }
    }
}
