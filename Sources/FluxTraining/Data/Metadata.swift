internal import Files
internal import Foundation
internal import JSONReading

/// The rows of a metadata file, or of a folder of pictures with captions beside them.
public struct Metadata: Hashable, Sendable {
    /// The file or folder.
    public let path: String
    /// At least one row.
    public let rows: [MetadataRow]

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
        guard let data = WholeFile.contents(path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            throw DataError(
                path: path, reason: .unreadable(exists ? "it is no file" : "it is not there"))
        }
        let rows: [MetadataRow]
        if path.hasSuffix(".json") {
            rows = try Self.json(data, path)
        } else if path.hasSuffix(".jsonl") {
            rows = try Self.jsonLines(data, path)
        } else {
            rows = try Self.csv(data, path)
        }
        try self.init(path: path, rows: rows)
    }

    /// Takes every picture of a folder that has a caption in a `.txt` or `.caption` file beside it.
    ///
    /// - Throws: `DataError` for a picture without caption, and a folder without pictures.
    public init(folder: String) throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw DataError(path: folder, reason: .unreadable("it is no folder"))
        }
        let pictures = names.sorted().filter { name in
            ["png", "jpg", "jpeg", "webp"].contains((name as NSString).pathExtension.lowercased())
        }
        guard !pictures.isEmpty else {
            throw DataError(
                path: folder, reason: .empty("it has no .png, .jpg, .jpeg or .webp file"))
        }
        let rows: [MetadataRow] = try pictures.map { name in
            let base = folder + "/" + (name as NSString).deletingPathExtension
            let caption = ["txt", "caption"].lazy.compactMap {
                try? String(contentsOfFile: "\(base).\($0)", encoding: .utf8)
            }.first
            guard let caption else {
                throw DataError(
                    path: folder + "/" + name, reason: .picture("has no \(base).txt beside it"))
            }
            return ["image": .text(name), "prompt": .text(caption.trimming(while: \.isWhitespace))]
        }
        try self.init(path: folder, rows: rows)
    }

    private static func row(_ value: JSONValue) -> MetadataRow? {
        value.object.map { $0.mapValues(MetadataValue.init) }
    }

    private static func json(_ data: Data, _ path: String) throws -> [MetadataRow] {
        do {
            var reader = JSONReader(Array(data))
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

    private static func jsonLines(_ data: Data, _ path: String) throws -> [MetadataRow] {
        var lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
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

    private static func csv(_ data: Data, _ path: String) throws -> [MetadataRow] {
        guard let text = String(validating: data, as: UTF8.self) else {
            throw DataError(path: path, reason: .malformed("is not UTF-8 text"))
        }
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
            let padded = cells + Array(repeating: "", count: header.count - cells.count)
            let values = padded.map { $0.isEmpty ? MetadataValue.missing : .text($0) }
            return Dictionary(zip(header, values)) { first, _ in first }
        }
    }
}
