import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// Rows of quantized blocks as a weight, and their values.
private func sample(_ format: GGUFBlockType) throws -> (weight: StoredWeight, values: Tensor) {
    let file = try SafetensorsFile(path: "\(Reference.own)/gguf/blocks.safetensors")
    func tensor(_ name: String) throws -> Tensor {
        try .mapped(#require(file["\(format.name).\(name)"]), of: file)
    }
    let values = try tensor("values")
    let blocks = GGUFBlocks(try tensor("packed"), format: format, shape: values.shape)
    return (.blocks(blocks), values)
}

private func expect(
    _ weight: StoredWeight, is values: Tensor, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    guard case .blocks = weight else {
        Issue.record("is not in blocks any more", sourceLocation: sourceLocation)
        return
    }
    #expect(weight.shape == values.shape, sourceLocation: sourceLocation)
    for dtype in [DType.float32, .bfloat16] {
        let found = try weight.value(dtype: dtype, device: .cpu)
        #expect(
            try found.isEqual(to: values.to(dtype: dtype)), sourceLocation: sourceLocation)
    }
}

@Suite("Weights in blocks")
struct GGUFBlocksTests {
    @Test(arguments: GGUFBlockType.allCases)
    func haveTheirRowsWhereARecipePutsThem(format: GGUFBlockType) throws {
        let (weight, values) = try sample(format)
        let rows = values.size(0)
        let transforms = [
            WeightTransform.identity("x"), .slice("x", part: 1, of: 3), .swapHalves("x"),
            .unpermuteRotary("x", headSize: 4),
        ]
        for transform in transforms {
            let shape =
                if case .slice = transform { [rows / 3, values.size(1)] } else { values.shape }
            let expected = try transform(.dense(values), shape: shape)
            guard case .dense(let expected) = expected else { continue }
            try expect(transform(weight, shape: shape), is: expected)
        }
        let shape = [1, rows, values.size(1)]
        let wide = try WeightTransform.identity("x")(weight, shape: shape)
        try expect(wide, is: values.reshaped(shape))
        try expect(WeightTransform.identity("x")(wide, shape: values.shape), is: values)
        // No blocks would be whole.
        let tall = [rows * values.size(1), 1]
        #expect(try WeightTransform.identity("x")(weight, shape: tall).shape == values.shape)
    }

    @Test(arguments: GGUFBlockType.allCases)
    func areWhatTheirTensorsAre(format: GGUFBlockType) throws {
        let (weight, values) = try sample(format)
        #expect(weight.tensors.count == 1 && weight.tensors[0].dtype == .uint8)
        #expect(
            weight.byteCount
                == values.count / format.valuesPerBlock * format.bytesPerBlock)
        #expect(!weight.isReady(for: .float32))
        try expect(weight.replacing([weight.tensors[0].copy()]), is: values)
        try expect(
            weight.rows([4..<6, 0..<1]),
            is: .concatenating(
                [values.slice(4..<6, along: 0), values.slice(0..<1, along: 0)], along: 0))
    }

    @Test(arguments: GGUFBlockType.allCases)
    func areTablesOfWhichRowsArePicked(format: GGUFBlockType) throws {
        let (weight, values) = try sample(format)
        let table = Embedding(Scope(), count: values.size(0), width: values.size(1))
        try table.weight.load(weight)
        let ids = try Tensor.from([3, 0, 3, 11] as [Int64], shape: [2, 2])
        let dense = Embedding(Scope(), count: values.size(0), width: values.size(1))
        try dense.weight.load(values)
        for dtype in [DType.float32, .bfloat16] {
            #expect(try table(ids, dtype: dtype).isEqual(to: dense(ids, dtype: dtype)))
        }
    }
}
