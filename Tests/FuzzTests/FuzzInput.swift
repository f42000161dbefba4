import Foundation

/// Forms of files, each with a way to change them that passes their first checks.
enum FuzzForm {
    case json
    /// A header of JSON behind its length, then data.
    case safetensors
    /// Integers at known places.
    case gguf
    /// Chunks with sums.
    case png
    /// Lines with separators.
    case table
    case bytes

    func changed(_ bytes: [UInt8], _ mutation: inout Mutation) -> [UInt8] {
        switch self {
        case .json: return mutation.json(bytes)
        case .bytes: return mutation.bytes(bytes)
        case .safetensors: return Self.header(bytes, &mutation)
        case .gguf:
            var bytes = bytes
            // Most of a small file is header.
            for _ in 0..<Int.random(in: 1...3, using: &mutation.generator) {
                let place = Int.random(in: 0..<bytes.count, using: &mutation.generator)
                mutation.integer(at: place, in: &bytes)
            }
            return mutation.generator.happens(0.2) ? mutation.bytes(bytes) : bytes
        case .png: return Self.chunk(bytes, &mutation)
        case .table: return Self.line(bytes, &mutation)
        }
    }

    private static func header(_ bytes: [UInt8], _ mutation: inout Mutation) -> [UInt8] {
        if mutation.generator.happens(0.15) { return mutation.bytes(bytes) }
        let size = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = mutation.json(Array(bytes[8..<8 + size]))
        var data = Array(bytes[(8 + size)...])
        if mutation.generator.happens(0.2) { data = mutation.bytes(data) }
        return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
    }

    /// A chunk with other content and a sum that is right.
    private static func chunk(_ bytes: [UInt8], _ mutation: inout Mutation) -> [UInt8] {
        if mutation.generator.happens(0.3) { return mutation.bytes(bytes) }
        var chunks: [(name: [UInt8], content: [UInt8])] = []
        var place = 8
        while place + 12 <= bytes.count {
            let size = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
            guard place + 12 + size <= bytes.count else { break }
            chunks.append(
                (Array(bytes[place + 4..<place + 8]), Array(bytes[place + 8..<place + 8 + size])))
            place += 12 + size
        }
        guard let index = chunks.indices.randomElement(using: &mutation.generator) else {
            return bytes
        }
        let content = chunks[index].content
        let isText = content.contains(UInt8(ascii: "{"))
        if isText, let start = content.firstIndex(of: UInt8(ascii: "{")) {
            chunks[index].content = content[..<start] + mutation.json(Array(content[start...]))
        } else {
            chunks[index].content = mutation.bytes(content)
        }
        if mutation.generator.happens(0.1) { chunks.append(chunks[index]) }
        return bytes.prefix(8)
            + chunks.flatMap { name, content in
                big(content.count) + name + content + big(Int(sum(name + content)))
            }
    }

    private static func big(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).bigEndian) { Array($0) }
    }

    private static func sum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in
                value >> 1 ^ (value & 1 == 0 ? 0 : 0xEDB8_8320)
            }
        }
    }

    private static func line(_ bytes: [UInt8], _ mutation: inout Mutation) -> [UInt8] {
        if mutation.generator.happens(0.3) { return mutation.bytes(bytes) }
        var words = String(decoding: bytes, as: UTF8.self)
            .split(omittingEmptySubsequences: false) { ",: \n".contains($0) }.map(String.init)
        let signs = String(decoding: bytes, as: UTF8.self).filter { ",: \n".contains($0) }
        guard let index = words.indices.randomElement(using: &mutation.generator) else {
            return bytes
        }
        let pool =
            Mutation.numbers + Mutation.texts + Mutation.others
            + [
                "\"", "\"\"\"", "a,b", "\"a\nb\"", "&a [*a]", "!!int x", "- ", "---", "\u{0}",
                "\r\n",
            ]
        words[index] = mutation.pick(pool)
        let text = zip(words, Array(signs).map(String.init) + [""]).map { $0 + $1 }.joined()
        return Array(text.utf8)
    }
}
