@testable import FluxTraining
import Testing

@Suite("A sum over bytes") struct ByteSumTests {
    private func sum(_ pieces: [UInt8]...) -> UInt64 {
        var sum = ByteSum()
        for piece in pieces { piece.withUnsafeBytes { sum.add($0) } }
        return sum.value
    }

    @Test func tellsEveryChange() {
        let bytes = (0..<100).map { UInt8($0) }
        var sums: Set = [sum(bytes), sum(bytes + [0]), sum(Array(bytes.dropLast())), sum([])]
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            sums.insert(sum(changed))
        }
        #expect(sums.count == 104)
        #expect(sum(bytes) == sum(bytes))
        #expect(sum(bytes, []) != sum(bytes) && sum(bytes, bytes) != sum(bytes + bytes))
    }
}
