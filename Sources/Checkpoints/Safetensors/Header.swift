internal import FileSupport

/// The header of a file: names, types, shapes and places of its tensors.
struct Header {
    /// Larger headers are taken for damage, as in the format's own library.
    static let largestSize = 100_000_000

    /// In the order of their bytes.
    private(set) var tensors: [TensorInfo] = []
    private(set) var metadata: [String: String] = [:]
    private let file: String

    /// Reads a header and checks it against the size of the data behind it.
    ///
    /// - Throws: `SafetensorsError` naming the tensor that is wrong.
    init(_ bytes: [UInt8], dataSize: Int, file: String) throws {
        self.file = file
        do {
            try read(bytes)
        } catch let error as JSONError {
            throw SafetensorsError(file: file, reason: .malformedHeader(error.description))
        }
        for tensor in tensors { try check(tensor, dataSize: dataSize) }
        // Empty tensors share their start with the next one and come before it.
        tensors.sort {
            ($0.range.lowerBound, $0.range.upperBound, $0.name)
                < ($1.range.lowerBound, $1.range.upperBound, $1.name)
        }
        try checkCoverage(dataSize)
    }

    private mutating func read(_ bytes: [UInt8]) throws {
        var reader = JSONReader(bytes)
        // Unlike other JSON, a header may not begin with blanks.
        guard bytes.first == UInt8(ascii: "{") else { throw reader.malformed("an object") }
        var names: Set<String> = []
        var entries: [TensorInfo] = []
        var notes: [String: String] = [:]
        try reader.object { reader, key in
            guard let name = validated(key) else { throw reader.malformed("a name in UTF-8") }
            guard names.insert(name).inserted else { throw fault(name, .duplicate(other: nil)) }
            if name == "__metadata__" {
                notes = try readMetadata(&reader)
            } else {
                entries.append(try readTensor(name, &reader))
            }
        }
        try reader.expectEnd()
        (tensors, metadata) = (entries, notes)
    }

    private func readMetadata(_ reader: inout JSONReader) throws -> [String: String] {
        var metadata: [String: String] = [:]
        try reader.object { reader, key in
            guard let key = validated(key) else { throw reader.malformed("a name in UTF-8") }
            guard metadata.updateValue(try reader.string(), forKey: key) == nil else {
                throw fault("__metadata__.\(key)", .duplicate(other: nil))
            }
        }
        return metadata
    }

    private func readTensor(_ name: String, _ reader: inout JSONReader) throws -> TensorInfo {
        var (type, shape, offsets): (String?, [Int]?, [Int]?)
        try reader.object { reader, key in
            switch (String(decoding: key, as: UTF8.self), type, shape, offsets) {
            case ("dtype", nil, _, _): type = try reader.string()
            case ("shape", _, nil, _): shape = try reader.integers()
            case ("data_offsets", _, _, nil): offsets = try reader.integers()
            default: throw reader.malformed("one dtype, shape and data_offsets for '\(name)'")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw reader.malformed("a dtype, a shape and two data_offsets for '\(name)'")
        }
        guard let known = ElementType(rawValue: type) else {
            throw fault(name, .unknownType(type))
        }
        guard 0 <= offsets[0], offsets[0] <= offsets[1] else {
            throw fault(name, .outOfRange(start: offsets[0], end: offsets[1], size: 0))
        }
        return TensorInfo(name: name, type: known, shape: shape, range: offsets[0]..<offsets[1])
    }

    private func check(_ tensor: TensorInfo, dataSize: Int) throws {
        guard let size = tensor.type.byteCount(of: tensor.shape) else {
            throw fault(tensor.name, .badShape(tensor.shape))
        }
        guard size == tensor.byteCount else {
            throw fault(
                tensor.name, .wrongByteCount(expected: size, found: tensor.byteCount))
        }
    }

    private func checkCoverage(_ dataSize: Int) throws {
        var end = 0
        for tensor in tensors {
            guard tensor.range.lowerBound == end else {
                throw fault(
                    tensor.name, .notContiguous(expected: end, found: tensor.range.lowerBound))
            }
            end = tensor.range.upperBound
        }
        guard end == dataSize else {
            throw SafetensorsError(file: file, reason: .wrongSize(expected: end, found: dataSize))
        }
    }

    private func fault(_ key: String, _ reason: SafetensorsError.Reason) -> SafetensorsError {
        SafetensorsError(file: file, key: key, reason: reason)
    }
}

extension JSONReader {
    fileprivate mutating func integers() throws -> [Int] {
        var numbers: [Int] = []
        try array { numbers.append(try $0.integer()) }
        return numbers
    }
}
