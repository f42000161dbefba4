/// The header of a file: what it says about itself, and names, types, shapes and places of tensors.
struct GGUFHeader {
    /// What tensors begin at multiples of where the file does not say.
    static let usualAlignment = 32
    /// As many as the format allows.
    static let mostDimensions = 4

    let version: Int
    private(set) var alignment = usualAlignment
    private(set) var metadata: [String: GGUFValue] = [:]
    /// In the order of their bytes.
    private(set) var tensors: [GGUFTensor] = []

    private struct Announcement {
        var tensor: GGUFTensor
        var offset: UInt64
    }

    /// Reads a header and checks it against the size of the file.
    ///
    /// - Throws: `GGUFError` naming the tensor or the entry that is wrong.
    init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
        var reader = GGUFHeaderReader(bytes, file: file)
        version = try Self.version(&reader)
        let tensorCount = try reader.count(of: "tensors", leastByteCount: 24)
        let entryCount = try reader.count(of: "entries of metadata", leastByteCount: 13)
        try readMetadata(&reader, entryCount)
        let announced = try (0..<tensorCount).map { _ in try Self.announcement(&reader) }
        try place(announced, reader)
    }

    private static func version(_ reader: inout GGUFHeaderReader) throws -> Int {
        let magic = Array(reader.bytes.prefix(4))
        guard magic == Array("GGUF".utf8) else { throw reader.fault(.notGGUF) }
        _ = try reader.take(4, "a magic number")
        let version: UInt32 = try reader.integer("a version")
        // A small number whose bytes are the other way round.
        if version != 0, version & 0xFFFF == 0 { throw reader.fault(.bigEndian) }
        guard version == 2 || version == 3 else {
            throw reader.fault(.unknownVersion(Int(version)))
        }
        return Int(version)
    }

    private mutating func readMetadata(_ reader: inout GGUFHeaderReader, _ count: Int) throws {
        for _ in 0..<count {
            let key = try reader.name("a key of metadata")
            let value = try reader.value(of: key)
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw reader.fault(.duplicate, key)
            }
        }
        let key = "general.alignment"
        guard let value = metadata[key] else { return }
        guard case .integer(let length) = value, length > 0, length & (length - 1) == 0 else {
            throw reader.fault(.malformed(expected: "a power of two", found: "\(value)"), key)
        }
        alignment = length
    }

    private static func announcement(_ reader: inout GGUFHeaderReader) throws -> Announcement {
        let name = try reader.name("a tensor's name")
        let rank: UInt32 = try reader.integer("the rank of '\(name)'")
        guard rank <= mostDimensions else {
            throw reader.fault(
                .malformed(expected: "at most \(mostDimensions) dimensions", found: "\(rank)"), name
            )
        }
        var shape: [Int] = []
        for _ in 0..<rank {
            let length: UInt64 = try reader.integer("the shape of '\(name)'")
            shape.insert(Int(clamping: length), at: 0)
        }
        let number: UInt32 = try reader.integer("the type of '\(name)'")
        let offset: UInt64 = try reader.integer("the place of '\(name)'")
        guard let type = GGUFTensorType(rawValue: number) else {
            throw reader.fault(.unsupportedType(GGUFTensorType.name(of: number)), name)
        }
        return Announcement(
            tensor: GGUFTensor(name: name, type: type, shape: shape, range: 0..<0), offset: offset)
    }

    /// Finds the bytes of all tensors; data begin at the first multiple of the alignment.
    private mutating func place(_ announced: [Announcement], _ reader: GGUFHeaderReader) throws {
        let (padded, overflows) = reader.position.addingReportingOverflow(alignment - 1)
        let start = overflows ? Int.max : padded & ~(alignment - 1)
        var names: Set<String> = []
        for entry in announced {
            var tensor = entry.tensor
            guard names.insert(tensor.name).inserted else {
                throw reader.fault(.duplicate, tensor.name)
            }
            tensor.range = try range(of: entry, from: start, reader)
            tensors.append(tensor)
        }
        // Empty tensors share their start with the next one and come before it.
        tensors.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name)
                < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        let filled = tensors.filter { !$0.range.isEmpty }
        for (one, next) in zip(filled, filled.dropFirst())
        where next.range.lowerBound < one.range.upperBound {
            throw reader.fault(.overlap(other: one.name), next.name)
        }
    }

    private func range(
        of entry: Announcement, from start: Int, _ reader: GGUFHeaderReader
    ) throws -> Range<Int> {
        let (tensor, file) = (entry.tensor, reader.bytes.count)
        guard entry.offset % UInt64(alignment) == 0 else {
            throw reader.fault(
                .notAligned(offset: entry.offset, alignment: alignment), tensor.name)
        }
        let size = try byteCount(of: tensor, reader)
        let (first, tooFar) = start.addingReportingOverflow(Int(clamping: entry.offset))
        let (end, overflows) = first.addingReportingOverflow(size)
        guard !tooFar, !overflows, end <= file else {
            throw reader.fault(
                .outOfFile(end: tooFar || overflows ? .max : end, size: file), tensor.name)
        }
        return first..<end
    }

    /// Refuses lengths that cannot be multiplied, also where one of them is 0.
    private func checkCount(of tensor: GGUFTensor, _ reader: GGUFHeaderReader) throws {
        var total = 1
        for length in tensor.shape where length > 0 {
            let (product, overflows) = total.multipliedReportingOverflow(by: length)
            guard !overflows else { throw reader.fault(.badShape(tensor.shape), tensor.name) }
            total = product
        }
    }

    private func byteCount(of tensor: GGUFTensor, _ reader: GGUFHeaderReader) throws -> Int {
        let type = tensor.type
        try checkCount(of: tensor, reader)
        let length = tensor.shape.last ?? 1
        guard length % type.valuesPerBlock == 0 else {
            throw reader.fault(.brokenRow(length: length, type: type), tensor.name)
        }
        var total = length / type.valuesPerBlock
        for factor in tensor.shape.dropLast() + [type.bytesPerBlock] {
            let (product, overflows) = total.multipliedReportingOverflow(by: factor)
            guard !overflows else { throw reader.fault(.badShape(tensor.shape), tensor.name) }
            total = product
        }
        return total
    }
}
