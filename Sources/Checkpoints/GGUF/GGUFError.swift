/// A GGUF file that cannot be read.
public struct GGUFError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the file, its header or one of its tensors.
    public enum Reason: Hashable, Sendable {
        /// It does not begin with the letters GGUF.
        case notGGUF
        /// Its numbers are stored with the highest byte first.
        case bigEndian
        /// It is of a version that is not read.
        case unknownVersion(Int)
        /// The header goes on behind the file's end; `what` would be there.
        case truncated(what: String, end: Int)
        /// The header says that there are so many of something, more than fit into the file.
        case tooMany(what: String, count: UInt64)
        /// Something in the header is not what it has to be.
        case malformed(expected: String, found: String)
        /// A name that two tensors or two entries of the metadata carry.
        case duplicate
        /// The tensor's values are stored in a way that is not read.
        case unsupportedType(String)
        /// More bytes than can be counted.
        case badShape([Int])
        /// Rows are no whole blocks.
        case brokenRow(length: Int, type: GGUFTensorType)
        /// The tensor does not begin where the file's alignment asks for.
        case notAligned(offset: UInt64, alignment: Int)
        /// The tensor ends behind the file's end.
        case outOfFile(end: Int, size: Int)
        /// The tensor begins before the one before it ends.
        case overlap(other: String)
        /// It is one of the parts that a file was split into, of which so many were found.
        case incomplete(parts: Int, found: Int)
    }

    /// The file.
    public var file: String
    /// The name of a tensor or of an entry of the metadata; nil when the whole file is concerned.
    public var key: String?
    /// What is wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a file, a tensor or entry of it where one is to blame, and what is wrong.
    public init(file: String, key: String? = nil, reason: Reason) {
        self.file = file
        self.key = key
        self.reason = reason
    }

    public var description: String {
        let subject = key.map { "'\($0.prefix(200))' " } ?? ""
        let line = "\(file): \(subject)\(explanation)"
        return String(line.map { $0.isNewline ? " " : $0 })
    }

    private var explanation: String {
        switch reason {
        case .notGGUF: "does not begin as GGUF files do"
        case .bigEndian: "is a big-endian GGUF file; only little-endian ones are read"
        case .unknownVersion(let version):
            "is a GGUF file of version \(version); versions 2 and 3 are read"
        case .truncated(let what, let end):
            "is truncated: expected \(what), found the end of the file at byte \(end)"
        case .tooMany(let what, let count):
            "announces \(count) \(what), which is more than fit into the file"
        case .malformed(let expected, let found):
            "has a damaged header: expected \(expected), found \(found.prefix(80))"
        case .duplicate: "is there twice"
        case .incomplete(let parts, let found):
            "is one of the \(parts) parts of a split file, \(found) \(found == 1 ? "was" : "were") given"
        default: tensorExplanation
        }
    }

    private var tensorExplanation: String {
        switch reason {
        case .unsupportedType(let type):
            "is stored as \(type); known are "
                + GGUFTensorType.allCases.map(\.name).joined(separator: ", ")
        case .badShape(let shape): "has an impossible shape \(shape.prefix(16))"
        case .brokenRow(let length, let type):
            "has rows of \(length) values, \(type.name) needs multiples of \(type.valuesPerBlock)"
        case .notAligned(let offset, let alignment):
            "starts at byte \(offset) of the data, expected a multiple of \(alignment)"
        case .outOfFile(let end, let size):
            "needs the file's bytes up to \(end), which has \(size): is it truncated?"
        case .overlap(let other): "lies on bytes of '\(other.prefix(200))', too"
        default: ""
        }
    }
}
