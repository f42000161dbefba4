public import FileSupport
public import Checkpoints
public import Torch

/// A file of weights that are read in place, whatever its format.
public protocol WeightFile: AnyObject, Sendable {
    /// All of its bytes.
    var mapped: MappedFile { get }
    /// What it holds, in the order of its bytes.
    var weights: [WeightInfo] { get }
    /// What it says about itself, in words.
    var notes: [String: String] { get }
}

/// A tensor of a file of weights.
public struct WeightInfo: Hashable, Sendable {
    /// The name, unique in its file.
    public var name: String
    /// How its values are stored.
    public var type: WeightType
    /// Lengths of the dimensions, outermost first; values are counted, not bytes of blocks.
    public var shape: [Int]
    /// Where its bytes are, counted from the start of the file.
    public var range: Range<Int>

    /// Bytes in the file.
    public var byteCount: Int { range.count }
    /// Values in all.
    public var elementCount: Int { shape.reduce(1, *) }
}

/// How the values of a weight are stored in a file.
public enum WeightType: Hashable, Sendable {
    /// One by one.
    case plain(ElementType)
    /// In blocks with scales, each row for itself.
    case blocks(GGUFBlockType)

    /// The name as files spell it: `BF16`, `Q8_0`.
    public var name: String {
        switch self {
        case .plain(let type): type.rawValue
        case .blocks(let format): format.name
        }
    }

    /// The tensor type of values that are stored one by one; nil for blocks, and for types that no
    /// tensor can hold.
    public var dtype: DType? {
        if case .plain(let type) = self { return type.dtype }
        return nil
    }

    /// The bytes of so many values in whole blocks.
    func byteCount(of values: Int) -> Int {
        switch self {
        case .plain(let type): values * type.byteCount
        case .blocks(let format): values / format.valuesPerBlock * format.bytesPerBlock
        }
    }
}

extension WeightFile {
    /// The path it was opened by.
    public var path: String { mapped.path }

    /// The bytes of one of this file's tensors, valid as long as the file object.
    public func bytes(of weight: WeightInfo) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapped.bytes[weight.range])
    }

    /// Tells the system that a tensor is read soon.
    func prefetch(_ weight: WeightInfo) { mapped.advise(.willNeed, weight.range) }

    /// Reads a tensor from the disk where it is not in memory, and returns when it is.
    ///
    /// - Returns: the bytes that were not in memory before.
    func pageIn(_ weight: WeightInfo) -> Int { mapped.pageIn(weight.range) }

    /// Lets a tensor's pages go: from this process, and from the system's cache as well.
    func release(_ weight: WeightInfo, fromCache: Bool) {
        mapped.release(weight.range, fromCache: fromCache)
    }
}

extension SafetensorsFile: WeightFile {
    public var weights: [WeightInfo] {
        tensors.map {
            WeightInfo(name: $0.name, type: .plain($0.type), shape: $0.shape, range: range(of: $0))
        }
    }

    public var notes: [String: String] { metadata }
}

extension GGUFFile: WeightFile {
    public var weights: [WeightInfo] {
        tensors.map {
            WeightInfo(
                name: $0.name, type: WeightType($0.type), shape: $0.shape, range: $0.range)
        }
    }

    public var notes: [String: String] { metadata.mapValues(\.note) }
}

extension WeightType {
    /// The same type as GGUF files have it.
    init(_ type: GGUFTensorType) {
        self =
            switch type {
            case .F32: .plain(.F32)
            case .F16: .plain(.F16)
            case .BF16: .plain(.BF16)
            case .Q4_0: .blocks(.q4_0)
            case .Q8_0: .blocks(.q8_0)
            case .Q4_K: .blocks(.q4_K)
            case .Q5_K: .blocks(.q5_K)
            case .Q6_K: .blocks(.q6_K)
            }
    }
}

extension GGUFValue {
    /// The value in words; of an array only how many there are.
    fileprivate var note: String {
        switch self {
        case .integer(let value): "\(value)"
        case .large(let value): "\(value)"
        // Most are `Float` in the file, and read better so.
        case .number(let value): "\(Float(value))"
        case .boolean(let value): "\(value)"
        case .string(let text): text
        case .array(let type, let count, _): "\(count) of \(type)"
        }
    }
}
