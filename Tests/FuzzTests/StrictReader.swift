import FileSupport
import Foundation

/// What the format's own library asks of a safetensors file, said once more and otherwise: what this
/// refuses must not have been accepted.
enum StrictReader {
    private static let widths = [
        "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
        "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1,
    ]

    static func check(_ path: String) throws {
        let bytes = try WholeFile.bytes(path)
        let size = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = named(Data(bytes[8..<8 + size]))
        guard header.first == UInt8(ascii: "{"),
            let entries = try? JSONSerialization.jsonObject(with: header) as? [String: Any]
        else { throw Unsound(what: "a header that is no JSON object") }
        var ranges: [(Int, Int)] = []
        for (name, value) in entries where name != "__metadata__" {
            ranges.append(try range(name, value))
        }
        if let notes = entries["__metadata__"], notes as? [String: String] == nil {
            throw Unsound(what: "metadata that are no texts")
        }
        var end = 0
        for (start, next) in ranges.sorted(by: <) {
            guard start == end else { throw Unsound(what: "a hole at \(end)") }
            end = next
        }
        guard end == bytes.count - 8 - size else { throw Unsound(what: "data of another size") }
    }

    /// Foundation drops byte order marks, by which two names would be one.
    private static func named(_ header: Data) -> Data {
        var header = header
        while let mark = header.firstRange(of: [0xEF, 0xBB, 0xBF]) {
            header.replaceSubrange(mark, with: Data("BOM".utf8))
        }
        return header
    }

    private static func range(_ name: String, _ value: Any) throws -> (Int, Int) {
        guard let entry = value as? [String: Any], entry.count == 3,
            let width = (entry["dtype"] as? String).flatMap({ widths[$0] }),
            let shape = entry["shape"] as? [NSNumber],
            let offsets = entry["data_offsets"] as? [NSNumber], offsets.count == 2
        else { throw Unsound(what: "'\(name)' is no tensor") }
        var size = width
        for length in shape {
            let (product, overflows) = size.multipliedReportingOverflow(by: try count(length))
            guard !overflows else { throw Unsound(what: "'\(name)' is too large") }
            size = product
        }
        let (start, end) = (try count(offsets[0]), try count(offsets[1]))
        guard start <= end, end - start == size else {
            throw Unsound(what: "'\(name)' has other bytes")
        }
        return (start, end)
    }

    private static func count(_ number: NSNumber) throws -> Int {
        guard let value = Int(number.stringValue), value >= 0 else {
            throw Unsound(what: "\(number) is no count")
        }
        return value
    }
}
