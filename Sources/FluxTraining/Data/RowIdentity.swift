/// What a sample is made of, in short: its place and its name do not count.
public struct RowIdentity: Hashable, Sendable {
    /// The caption and what else the row says.
    public var text: UInt64
    /// The bytes of its files; 0 where they cannot be read.
    public var files: UInt64

    /// Sums up texts and digests of files; nil for files that cannot be read.
    init(text: [String], files: [String]?) {
        self.text = Digest.number(text)
        self.files = files.map(Digest.number) ?? 0
    }

    /// Takes sums as they are.
    init(text: UInt64, files: UInt64) {
        self.text = text
        self.files = files
    }

    /// As a state keeps it.
    var numbers: [Int64] { [Int64(bitPattern: text), Int64(bitPattern: files)] }

    static func rows(_ numbers: [Int64]) -> [RowIdentity] {
        stride(from: 0, to: numbers.count - 1, by: 2).map {
            RowIdentity(
                text: UInt64(bitPattern: numbers[$0]), files: UInt64(bitPattern: numbers[$0 + 1]))
        }
    }
}

/// A sample as it is found before the first step.
struct FoundRow: Hashable, Sendable {
    var identity: RowIdentity
    var isReadable = true
    /// What people call it.
    var name = ""
}
