/// A dictionary from byte strings to token ids that can be asked about a slice of a larger text.
struct ByteTable: Sendable {
    private struct Entry {
        var start: Int
        var count: Int
        var id: Int32
    }

    private var content: [UInt8] = []
    private var entries: [Entry] = []
    /// Open addressing: the index of an entry plus one in the low half, its hash in the high half;
    /// zero is free.
    private var slots: [UInt64]

    init(capacity: Int = 0) {
        slots = Array(repeating: 0, count: Self.slotCount(for: capacity))
        entries.reserveCapacity(capacity)
        content.reserveCapacity(capacity * 7)
    }

    var count: Int { entries.count }

    /// The bytes of the entry that was inserted at `index`.
    func bytes(at index: Int) -> ArraySlice<UInt8> {
        let entry = entries[index]
        return content[entry.start..<entry.start + entry.count]
    }

    /// The id of a byte string.
    func id(of bytes: some RandomAccessCollection<UInt8>) -> Int? {
        let hash = Self.hash(bytes)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 {
            if let entry = match(slots[slot], hash, bytes) { return Int(entry.id) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Adds a byte string.
    ///
    /// - Returns: The id it already has, in which case nothing changes; nil when it is new.
    mutating func insert(_ bytes: some RandomAccessCollection<UInt8>, id: Int32) -> Int? {
        if (entries.count + 1) * 2 > slots.count { grow() }
        let hash = Self.hash(bytes)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != 0 {
            if let entry = match(slots[slot], hash, bytes) { return Int(entry.id) }
            slot = (slot + 1) & (slots.count - 1)
        }
        entries.append(Entry(start: content.count, count: bytes.count, id: id))
        content.append(contentsOf: bytes)
        slots[slot] = Self.slot(index: entries.count - 1, hash: hash)
        return nil
    }

    private func match(
        _ slot: UInt64, _ hash: UInt64, _ bytes: some RandomAccessCollection<UInt8>
    ) -> Entry? {
        guard slot >> 32 == hash >> 32 else { return nil }
        let entry = entries[Int(slot & 0xFFFF_FFFF) - 1]
        guard entry.count == bytes.count else { return nil }
        var position = entry.start
        for byte in bytes {
            guard content[position] == byte else { return nil }
            position += 1
        }
        return entry
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 2)
        for index in entries.indices {
            let hash = Self.hash(bytes(at: index))
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Self.slot(index: index, hash: hash)
        }
    }

    private static func slot(index: Int, hash: UInt64) -> UInt64 {
        (hash >> 32) << 32 | UInt64(index + 1)
    }

    private static func slotCount(for capacity: Int) -> Int {
        var count = 16
        while count < capacity * 2 { count *= 2 }
        return count
    }

    /// FNV-1a with a final mix, since the low bits choose the slot and the high bits tell
    /// neighbors apart.
    private static func hash(_ bytes: some RandomAccessCollection<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        return hash &* 0x9E37_79B9_7F4A_7C15
    }
}
