internal import Foundation

/// What is read of a camera's note, and how our own settings are put into one.
struct Exif {
    private(set) var orientation = Orientation.upright
    /// The user comment, where it is text.
    private(set) var comment: String?

    init() {}

    private enum Tag {
        static let orientation = 0x0112
        static let subdirectory = 0x8769
        static let userComment = 0x9286
    }

    /// Reads a note in the TIFF format; what makes no sense is passed over.
    init(tiff: ArraySlice<UInt8>) {
        var reader = ByteReader(tiff)
        switch reader.integer(2, at: 0) {
        case 0x4949: reader.isBigEndian = false
        case 0x4D4D: reader.isBigEndian = true
        default: return
        }
        guard reader.integer(2, at: 2) == 42, let start = reader.integer(4, at: 4) else { return }
        read(reader, directoryAt: start, mayNest: true)
    }

    private mutating func read(_ reader: ByteReader, directoryAt start: Int, mayNest: Bool) {
        guard let count = reader.integer(2, at: start) else { return }
        for index in 0..<count {
            let entry = start + 2 + 12 * index
            guard let tag = reader.integer(2, at: entry) else { return }
            switch tag {
            case Tag.orientation:
                orientation =
                    reader.integer(2, at: entry + 8).flatMap(Orientation.init) ?? .upright
            case Tag.subdirectory where mayNest:
                guard let place = reader.integer(4, at: entry + 8) else { return }
                read(reader, directoryAt: place, mayNest: false)
            case Tag.userComment: comment = Self.comment(reader, entry)
            default: break
            }
        }
    }

    /// The first eight bytes of a comment name its character set.
    private static func comment(_ reader: ByteReader, _ entry: Int) -> String? {
        guard let size = reader.integer(4, at: entry + 4), size > 8,
            let place = reader.integer(4, at: entry + 8), let bytes = reader.slice(place, size)
        else { return nil }
        let text = Data(bytes.dropFirst(8))
        if bytes.starts(with: "UNICODE\0".utf8) {
            return String(
                data: text, encoding: reader.isBigEndian ? .utf16BigEndian : .utf16LittleEndian)
        }
        return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Text entries: ours are one JSON object in the comment.
    var metadata: [String: String] {
        guard let comment else { return [:] }
        let entries = try? JSONDecoder().decode([String: String].self, from: Data(comment.utf8))
        return entries ?? ["UserComment": comment]
    }

    /// A note whose user comment holds text entries.
    static func tiff(holding metadata: [String: String]) -> [UInt8] {
        let comment = Array("ASCII\0\0\0".utf8) + Array(json(metadata).utf8)
        let subdirectory = 8 + 2 + 12 + 4
        let content = subdirectory + 2 + 12 + 4
        return Array("MM".utf8) + bigEndian(42, 2) + bigEndian(8, 4)
            + directory(tag: Tag.subdirectory, type: 4, count: 1, value: subdirectory)
            + directory(tag: Tag.userComment, type: 7, count: comment.count, value: content)
            + comment
    }

    /// A directory of one entry with none to follow.
    private static func directory(tag: Int, type: Int, count: Int, value: Int) -> [UInt8] {
        bigEndian(1, 2) + bigEndian(tag, 2) + bigEndian(type, 2) + bigEndian(count, 4)
            + bigEndian(value, 4) + bigEndian(0, 4)
    }

    private static func bigEndian(_ value: Int, _ size: Int) -> [UInt8] {
        (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    /// JSON in ASCII alone, since that is what the comment's character set allows.
    private static func json(_ metadata: [String: String]) -> String {
        let entries = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0)):\(quoted($1))" }
        return "{\(entries.joined(separator: ","))}"
    }

    private static func quoted(_ text: String) -> String {
        let units = text.utf16.map { unit in
            switch unit {
            case 0x22: "\\\""
            case 0x5C: "\\\\"
            case 0x20...0x7E: String(Unicode.Scalar(UInt8(unit)))
            default: "\\u" + ("000" + String(unit, radix: 16)).suffix(4)
            }
        }
        return "\"\(units.joined())\""
    }
}
