import Foundation
import TestSupport
import Testing
import Torch

@Suite("processes that work together", .serialized, .enabled(if: ProcessGroup.isAvailable))
struct DistributedTests {
    @Test(arguments: [2, 3]) func sumsAndMeansAreThoseOfAllRanks(size: Int) throws {
        let results = try withRanks(size) { group in
            let small = try Tensor.from([Float(group.rank + 1), 10])
            let turned = try Tensor.from([Float(0), 1, 2, 3, 4, 5], shape: [2, 3]).transposed(0, 1)
            let whole = try Tensor.from([Int64(group.rank)])
            try group.sum([small, turned, whole])
            let mean = try Tensor.full([3], Double(group.rank), dtype: .bfloat16)
            try group.mean([mean])
            return try [small, turned, whole, mean].map { try $0.values(as: Float.self) }
        }
        let total = Float(size * (size + 1) / 2)
        for result in results {
            #expect(result[0] == [total, Float(10 * size)])
            #expect(result[1] == [0, 3, 1, 4, 2, 5].map { Float($0 * size) })
            #expect(result[2] == [total - Float(size)])
            #expect(abs(result[3][0] - Float(size - 1) / 2) < 0.01)
        }
    }

    /// As PyTorch's data parallelism does it: times 1/size in the tensor's type, then added.
    @Test func meansRoundAsInPyTorch() throws {
        let results = try withRanks(3) { group in
            let own = try values(of: group.rank)
            try group.mean([own, Tensor.ones([2], dtype: .bfloat16)])
            return try own.values(as: Float.self)
        }
        var expected = try Tensor.zeros([1000], dtype: .bfloat16)
        for rank in 0..<3 { expected = try expected + values(of: rank) * (1.0 / 3) }
        let reference = try expected.values(as: Float.self)
        // The order in which ranks are added is the transport's choice.
        for (a, b) in zip(results[0], reference) { #expect(abs(a - b) <= abs(b) / 64 + 0.01) }
        #expect(results[0] == results[1] && results[1] == results[2])
    }

    private func values(of rank: Int) throws -> Tensor {
        try Tensor.randn([1000], generator: Generator(seed: UInt64(rank)), dtype: .bfloat16)
    }

    @Test func twoRanksAverageExactly() throws {
        let results = try withRanks(2) { group in
            let own = try values(of: group.rank)
            try group.mean([own])
            return try own.values(as: Float.self)
        }
        let expected = try (values(of: 0) * 0.5 + values(of: 1) * 0.5).values(as: Float.self)
        #expect(results == [expected, expected])
    }

    @Test func meansForOneRankReachIt() throws {
        let results = try withRanks(3) { group in
            let tensors = try (0..<3).map { try Tensor.full([4], Double(3 * $0 + 9 * group.rank)) }
            for rank in 0..<3 { try group.mean([tensors[rank]], to: rank) }
            return try tensors[group.rank].values(as: Float.self)
        }
        for (rank, values) in results.enumerated() {
            for value in values { #expect(abs(value - Float(3 * rank + 9)) < 1e-5) }
        }
    }

    @Test(arguments: [DType.float32, .bfloat16, .float16, .int64, .bool, .float8e4m3fn, .int16])
    func everyTypeIsBroadcastAndGathered(dtype: DType) throws {
        let results = try withRanks(2) { group in
            let tensor = try Tensor.full([3, 2], Double(group.rank)).to(dtype: dtype)
            let all = try group.gather(tensor).map { try $0.values(as: Float.self) }
            try group.broadcast([tensor], from: 1)
            return try all + [tensor.values(as: Float.self)]
        }
        let (zeros, ones) = (
            Array(repeating: Float(0), count: 6), Array(repeating: Float(1), count: 6)
        )
        #expect(results == [[zeros, ones, ones], [zeros, ones, ones]])
    }

    @Test func manyTensorsTravelInBuckets() throws {
        let results = try withRanks(2) { group in
            var tensors = try (0..<300).map { try Tensor.full([$0], Double($0)) }
            tensors.append(try Tensor.full([8 << 20], 2))
            tensors.append(try Tensor.full([], 7))
            try tensors.forEach { try $0.requireGradient() }
            try group.sum(tensors)
            return try withoutGradients {
                try tensors.allSatisfy { tensor in
                    guard tensor.count > 0 else { return true }
                    let wanted: Double =
                        tensor.rank == 0 ? 14 : tensor.count < 300 ? Double(2 * tensor.count) : 4
                    return try tensor.minimum().item() == wanted
                        && tensor.maximum().item() == wanted
                }
            }
        }
        #expect(results == [true, true])
    }

    @Test func partsOfASumGoToTheirRanks() throws {
        let results = try withRanks(2) { group in
            let tensor = try Tensor.from([Float(1), 2, 3, 4], shape: [4, 1])
            return try group.scatterSum(tensor).values(as: Float.self)
        }
        #expect(results == [[2, 4], [6, 8]])
    }

    @Test func valuesAndNamedTensorsAreGathered() throws {
        let results = try withRanks(3) { group in
            let values = try group.gather(values: [Double(group.rank), 0.5])
            #expect(values == [[0, 0.5], [1, 0.5], [2, 0.5]])
            let named = try group.collect(
                group.rank == 1
                    ? [:]
                    : [
                        "a b \(group.rank)": Tensor.full(
                            [2, 1], Double(group.rank), dtype: .bfloat16),
                        "step": Tensor.full([], 5, dtype: .int64), "none": Tensor.empty([0]),
                    ])
            return try named.map { try $0.mapValues { try $0.values(as: Float.self) } }
        }
        #expect(results[1].isEmpty && results[2].isEmpty)
        #expect(
            results[0] == [
                ["a b 0": [0, 0], "step": [5], "none": []], [:],
                ["a b 2": [2, 2], "step": [5], "none": []],
            ])
    }

    @Test func oneProcessNeedsNobody() throws {
        let group = try ProcessGroup(nil)
        let tensor = try Tensor.from([Float(3)])
        try group.mean([tensor])
        try group.barrier()
        #expect(try tensor.values() == [Float(3)])
        #expect(try group.gather(values: [1]) == [[1]])
        #expect(try group.collect(["a": tensor]).count == 1)
    }

    @Test func aRankThatDoesNotComeEndsTheOthers() throws {
        #expect {
            _ = try withRanks(2, timeout: .seconds(2)) { group in
                if group.rank == 0 {
                    try group.sum([Tensor.ones([1])])
                } else {
                    Thread.sleep(forTimeInterval: 4)
                }
            }
        } throws: { error in
            let text = "\(error)"
            return text.contains("all-reduce failed on rank 0 of 2") && text.contains("within 2 s")
        }
    }

    @Test func aMeetingThatNobodyElseComesToEnds() throws {
        let port = try DistributedEnvironment.freePort()
        #expect {
            _ = try ProcessGroup(
                DistributedEnvironment(rank: 0, size: 2, port: port), timeout: .seconds(2))
        } throws: { "\($0)".contains("meeting at 127.0.0.1:\(port) failed on rank 0 of 2") }
    }
}

@Suite("torchrun's variables") struct DistributedEnvironmentTests {
    private let complete = [
        "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
    ]

    @Test func noneMeansOneProcess() throws {
        #expect(try DistributedEnvironment.read(["MASTER_ADDR": "node0"]) == nil)
    }

    @Test func allAreRead() throws {
        let read = try #require(try DistributedEnvironment.read(complete))
        #expect(read.rank == 3 && read.size == 4 && read.localRank == 1)
        #expect(read.host == "node0" && read.port == 29500 && !read.serves)
    }

    @Test func torchrunServesWhereItSaysSo() throws {
        let first = ["RANK": "0", "LOCAL_RANK": "0"]
        let agent = ["TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"]
        let alone = try DistributedEnvironment.read(complete.merging(first) { $1 })
        #expect(alone?.serves == true)
        let served = try DistributedEnvironment.read(
            complete.merging(first) { $1 }.merging(agent) { $1 })
        #expect(served?.serves == false && served?.attempt == 2)
    }

    @Test(arguments: [
        ("RANK", nil, "RANK: is not set"), ("WORLD_SIZE", nil, "WORLD_SIZE: is not set"),
        ("LOCAL_RANK", nil, "LOCAL_RANK: is not set"), ("MASTER_ADDR", nil, "MASTER_ADDR"),
        ("MASTER_PORT", "0", "expected 1 to 65535, found '0'"),
        ("RANK", "4", "RANK: expected 0 to 3 as WORLD_SIZE is 4, found '4'"),
        ("RANK", "one", "found 'one'"), ("LOCAL_RANK", "2", "LOCAL_RANK: expected 0 to 1"),
        ("LOCAL_WORLD_SIZE", "9", "LOCAL_WORLD_SIZE: expected 1 to 4"),
    ])
    func contradictionsAreNamed(name: String, value: String?, words: String) throws {
        var variables = complete
        variables[name] = value
        #expect {
            _ = try DistributedEnvironment.read(variables)
        } throws: { "\($0)".contains(words) }
    }
}
