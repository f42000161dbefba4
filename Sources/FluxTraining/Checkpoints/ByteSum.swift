/// A sum over bytes that tells damage, at the speed of memory; it is no protection against intent.
struct ByteSum {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Adds bytes; the same bytes in other pieces give another sum.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var lanes: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
        let blocks = bytes.count / 32
        for block in 0..<blocks {
            let start = 32 * block
            lanes.0 = Self.mixed(lanes.0, bytes.word(start))
            lanes.1 = Self.mixed(lanes.1, bytes.word(start + 8))
            lanes.2 = Self.mixed(lanes.2, bytes.word(start + 16))
            lanes.3 = Self.mixed(lanes.3, bytes.word(start + 24))
        }
        for word in [lanes.0, lanes.1, lanes.2, lanes.3, UInt64(bytes.count)] {
            value = Self.mixed(value, word)
        }
        for byte in bytes[(32 * blocks)...] { value = Self.mixed(value, UInt64(byte)) }
    }

    /// Each step can be undone, so that two inputs which differ in one word never meet.
    private static func mixed(_ sum: UInt64, _ word: UInt64) -> UInt64 {
        let product = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
        return product ^ (product >> 32)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func word(_ offset: Int) -> UInt64 {
        loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}
