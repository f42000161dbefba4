internal import Foundation

/// Which columns of rows a training looks at, and which it should be told about.
struct ColumnUse {
    private let named: [String]
    private let extraInputs: [String]

    /// - Parameters:
    ///   - named: columns that name images, by `--data_file_keys`.
    ///   - extraInputs: columns that objectives are told.
    init(_ named: [String], _ extraInputs: [String]) {
        self.named = named
        self.extraInputs = extraInputs
    }

    /// Columns with files that nothing uses, names without a column, and empty captions; a line each.
    func remarks(_ metadata: Metadata) -> [String] {
        let known = Set(["image", "prompt"] + extraInputs)
        let columns = Set(metadata.rows.flatMap(\.keys)).union(named).subtracting(known).sorted()
        let lines = columns.compactMap { unused($0, metadata.rows) } + empty(metadata.rows)
        return lines.map { "\(metadata.path): \($0)" }
    }

    private func unused(_ column: String, _ rows: [MetadataRow]) -> String? {
        let isNamed = named.contains(column)
        let count = rows.count { row in
            guard let value = row[column], value != .missing else { return false }
            return isNamed || value.namesMedia
        }
        guard count > 0 else {
            // DiffSynth-Studio's default names it, whatever the rows hold.
            return isNamed && column != "video"
                ? "no row has a '\(column)', which --data_file_keys names" : nil
        }
        let hint =
            column == "edit_image" ? "; --data_file_keys and --extra_inputs have to name it" : ""
        return "the files in column '\(column)' of \(count) rows are not used" + hint
    }

    private func empty(_ rows: [MetadataRow]) -> [String] {
        let numbers = rows.indices.filter { row in
            switch rows[row]["prompt"] {
            case .missing: true
            case .text(let text): text.allSatisfy(\.isWhitespace)
            default: false
            }
        }
        guard let first = numbers.first else { return [] }
        return [
            "\(numbers.count) of \(rows.count) captions are empty, such as that of row \(first + 1)"
        ]
    }
}

extension MetadataValue {
    /// Whether it looks like the name of an image or a film, or several.
    fileprivate var namesMedia: Bool {
        let endings: Set = [
            "png", "jpg", "jpeg", "jfif", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic",
            "mp4",
            "mov", "avi", "mkv", "webm",
        ]
        return paths?.contains { endings.contains(($0 as NSString).pathExtension.lowercased()) }
            ?? false
    }
}
