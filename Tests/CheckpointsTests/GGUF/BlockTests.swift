import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// Rows of quantized blocks and their values, by the Python package of the format.
private func vectors(_ format: GGUFBlockType) throws -> (packed: Tensor, values: Tensor) {
    let file = try SafetensorsFile(path: "\(Reference.own)/gguf/blocks.safetensors")
    func tensor(_ name: String) throws -> Tensor {
        try .mapped(#require(file["\(format.name).\(name)"]), of: file)
    }
    return (try tensor("packed"), try tensor("values"))
}

extension Tensor {
    /// Whether all bits are the same, those of zeros and infinities included.
    fileprivate func hasBits(of other: Tensor) throws -> Bool {
        guard dtype == other.dtype, shape == other.shape else { return false }
        return try withBytes { a in try other.withBytes { a.elementsEqual($0) } }
    }
}

@Suite("Blocks", .serialized)
struct BlockTests {
    @Test(arguments: GGUFBlockType.allCases)
    func becomeTheReferencesValuesBitForBit(format: GGUFBlockType) throws {
        let (packed, expected) = try vectors(format)
        #expect(try packed.dequantizedBlocks(format, dtype: .float32).hasBits(of: expected))
    }

    @Test(arguments: GGUFBlockType.allCases)
    func becomeTheSameByTensorOperations(format: GGUFBlockType) throws {
        let (packed, expected) = try vectors(format)
        let values = try Tensor.empty(expected.shape)
        try packed.dequantizeBlocksByOperations(format, into: values)
        #expect(try values.hasBits(of: expected))
    }

    @Test(arguments: GGUFBlockType.allCases, [DType.bfloat16, .float16])
    func areRoundedToTheNearestOfSmallerTypes(format: GGUFBlockType, dtype: DType) throws {
        let (packed, values) = try vectors(format)
        let expected = try values.to(dtype: dtype)
        #expect(try packed.dequantizedBlocks(format, dtype: dtype).hasBits(of: expected))
        let other = try Tensor.empty(expected.shape, dtype: dtype)
        try packed.dequantizeBlocksByOperations(format, into: other)
        #expect(try other.hasBits(of: expected))
    }

    /// So many that threads share them.
    @Test(arguments: GGUFBlockType.allCases)
    func ofALargeMatrixAreUnpackedByManyThreads(format: GGUFBlockType) throws {
        let (packed, values) = try vectors(format)
        let times = 300
        let many = try Tensor.concatenating(Array(repeating: packed, count: times), along: 0)
        let unpacked = try many.dequantizedBlocks(format, dtype: .float32)
        let rows = values.size(0)
        for time in [0, 1, times / 2, times - 1] {
            let part = try unpacked.slice(time * rows..<(time + 1) * rows, along: 0)
            #expect(try part.contiguous().hasBits(of: values))
        }
        #expect(
            try unpacked.hasBits(
                of: .concatenating(Array(repeating: values, count: times), along: 0)))
    }

    @Test func ofNoRowsAreNothing() throws {
        let none = try Tensor.empty([0, 34], dtype: .uint8)
        #expect(try none.dequantizedBlocks(.q8_0, dtype: .float32).shape == [0, 32])
    }

    @Test func thatDoNotFitAreRefused() throws {
        let packed = try Tensor.zeros([2, 68], dtype: .uint8)
        func refusal(_ source: Tensor, _ target: Tensor) throws -> String {
            try #require(throws: TorchError.self) {
                try source.dequantizeBlocks(.q8_0, into: target)
            }
            .description
        }
        #expect(try refusal(packed, .empty([2, 32])).contains("do not fill [2, 32]"))
        #expect(try refusal(packed, .empty([2, 64], dtype: .float64)).contains("not Double"))
        #expect(try refusal(.zeros([2, 68]), .empty([2, 64])).contains("rows of bytes"))
        let askew = try Tensor.zeros([68, 2], dtype: .uint8).transposed(0, 1)
        #expect(try refusal(askew, .empty([2, 64])).contains("rows of bytes"))
        #expect(
            try refusal(.zeros([2, 33], dtype: .uint8), .empty([2, 32]))
                .contains("no whole blocks of 34"))
    }
}
