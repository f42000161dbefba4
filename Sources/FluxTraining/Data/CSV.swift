/// Comma-separated values, with cells between quotes where they hold commas, quotes or line ends.
enum CSV {
    /// The cells of every record that is not empty.
    ///
    /// - Throws: `DataError` for quotes that do not end.
    static func records(_ text: String, _ path: String) throws -> [[String]] {
        var reader = Reader(text: Array(text.unicodeScalars), path: path)
        return try reader.records()
    }

    private struct Reader {
        let text: [Unicode.Scalar]
        let path: String
        var position = 0

        init(text: [Unicode.Scalar], path: String) {
            // A byte order mark is no part of the first column's name.
            self.text = text.first == "\u{FEFF}" ? Array(text.dropFirst()) : text
            self.path = path
        }

        mutating func records() throws -> [[String]] {
            var records: [[String]] = []
            while position < text.count {
                let cells = try record(records.count + 1)
                if cells != [""] { records.append(cells) }
            }
            return records
        }

        private mutating func record(_ number: Int) throws -> [String] {
            var cells = [try cell(number)]
            while position < text.count {
                switch text[position] {
                case ",":
                    position += 1
                    cells.append(try cell(number))
                case "\r":
                    position += 1
                    if position < text.count, text[position] == "\n" { position += 1 }
                    return cells
                default:
                    position += 1
                    return cells
                }
            }
            return cells
        }

        private mutating func cell(_ number: Int) throws -> String {
            guard position < text.count, text[position] == "\"" else { return plain() }
            position += 1
            var content = String.UnicodeScalarView()
            while position < text.count {
                let scalar = text[position]
                position += 1
                guard scalar == "\"" else {
                    content.append(scalar)
                    continue
                }
                guard position < text.count, text[position] == "\"" else {
                    return String(content) + plain()
                }
                content.append(scalar)
                position += 1
            }
            throw DataError(path: path, row: number, reason: .malformed("has quotes without end"))
        }

        /// What follows until a comma or the end of the line.
        private mutating func plain() -> String {
            var content = String.UnicodeScalarView()
            while position < text.count, ![",", "\n", "\r"].contains(text[position]) {
                content.append(text[position])
                position += 1
            }
            return String(content)
        }
    }
}
