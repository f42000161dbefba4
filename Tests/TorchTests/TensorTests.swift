import Testing
import Torch

/// Suites that compute run one after the other: each calling thread gets workers of its own.
@Suite("Torch", .serialized)
struct TorchTests {
    @Suite("Tensors", .serialized)
    struct Tensors {
        @Test func arithmeticRoundsToTheTypeAfterEachOperation() throws {
            let x = try Tensor.from([Float(1), 2, 3]).to(dtype: .bfloat16)
            let y = try (x * (2.0 / 255)) + -1
            #expect(y.dtype == .bfloat16)
            #expect(try y.values(as: Float.self) == [-0.9921875, -0.984375, -0.9765625])
        }

        @Test func scalarsKeepIntegersIntegers() throws {
            let x = try Tensor.from([Int64(1), 2]) + 3
            #expect(x.dtype == .int64)
            #expect(try x.values(as: Int64.self) == [4, 5])
        }

        @Test func failuresCarryLibtorchsWordsInOneLine() throws {
            let (a, b) = try (Tensor.zeros([2, 3]), Tensor.zeros([4, 5]))
            let error = try #require(throws: TorchError.self) { try a.matmul(b) }
            #expect(error.description.contains("2x3"))
            #expect(!error.description.contains("\n"))
        }

        @Test func anAbsurdAllocationIsOutOfMemory() throws {
            let error = try #require(throws: TorchError.self) {
                try Tensor.empty([1 << 46])
            }
            #expect(error.reason == .outOfMemory)
        }

        @Test func viewsKeepTheirOwnerAlive() throws {
            final class Owner {
                let bytes = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
                let onRelease: () -> Void
                init(_ onRelease: @escaping () -> Void) {
                    self.onRelease = onRelease
                    bytes.storeBytes(of: (Float(1), 2, 3, 4), as: (Float, Float, Float, Float).self)
                }
                deinit {
                    bytes.deallocate()
                    onRelease()
                }
            }
            var released = false
            var tail: Tensor?
            do {
                let owner = Owner { released = true }
                let whole = try Tensor.view(
                    of: UnsafeRawBufferPointer(start: owner.bytes, count: 16), shape: [4],
                    dtype: .float32, owner: owner)
                tail = try whole.slice(2..<4, along: 0)
            }
            #expect(!released)
            #expect(try tail?.values(as: Float.self) == [3, 4])
            tail = nil
            #expect(released)
        }

        @Test func manyShortLivedTensorsInListsSurviveTheCall() throws {
            for _ in 0..<200 {
                let joined = try Tensor.concatenating(
                    (0..<50).map { try Tensor.full([3], Double($0)) }, along: 0)
                #expect(try joined.sum().item() == 3675)
            }
        }

        @Test func storesAndReadsEightBitFloats() throws {
            let x = try Tensor.from([Float(0.3), -448, 1]).to(dtype: .float8e4m3fn)
            #expect(x.byteCount == 3)
            #expect(try x.values(as: Float.self) == [0.3125, -448, 1])
        }

        /// Those that lie side by side are converted by a kernel of this package, others by ATen.
        @Test(arguments: [DType.float8e4m3fn, .float8e5m2], [DType.bfloat16, .float32])
        func eightBitFloatsBecomeWhatATenMakesOfThem(from: DType, to: DType) throws {
            let once: [UInt8] = Array(0...255)
            let all = once + once + once + [0x38, 0x01, 0x80]
            let pairs: [UInt8] = all.flatMap { [$0, UInt8(0)] }
            let twice = try pairs.withUnsafeBytes {
                try Tensor.from(bytes: $0, shape: [all.count, 2], dtype: from)
            }
            let apart = try twice.slice(0..<1, along: 1)
            let together = try apart.contiguous()
            let expected = try apart.to(dtype: to)
            let found = try together.to(dtype: to)
            #expect(found.shape == [all.count, 1] && found.dtype == to)
            let (isNumber, isNumberThere) = try (found.isFinite(), expected.isFinite())
            try #expect(isNumber.isEqual(to: isNumberThere))
            // Bits, so that the two zeros are told apart; NaNs have many.
            for (index, pair) in zip(
                try found.to(dtype: .float32).values(as: Float.self),
                try expected.contiguous().to(dtype: .float32).values(as: Float.self)
            ).enumerated() where !pair.1.isNaN || !pair.0.isNaN {
                #expect(pair.0.bitPattern == pair.1.bitPattern, "byte \(all[index])")
            }
        }

        @Test func namesOfTypesAndDevicesAreRead() {
            #expect(DType(name: "torch.bfloat16") == .bfloat16)
            #expect(DType(name: "fp8") == .float8e4m3fn)
            #expect(DType(name: "int5") == nil)
            #expect(Device(name: "cuda:1") == Device(.cuda, index: 1))
            #expect(Device(name: "cuda:-1") == nil)
            #expect(Device(name: "tpu") == nil)
            #expect(Device(.cuda, index: 3).description == "cuda:3")
        }

        @Test func aDeviceThatIsNotThereSaysWhy() {
            let error = #expect(throws: DeviceError.self) { try Device(.cuda, index: 99).prepare() }
            #expect(error?.description.contains("cuda:99") == true)
        }
    }

    @Suite("Random numbers", .serialized)
    struct RandomNumbers {
        /// PyTorch 2.13 on an x86 processor with AVX2.
        @Test func normalNumbersAreBitForBitPyTorchs() throws {
            let large: [Float] = try Tensor.randn([128], generator: Generator(seed: 0)).values()
            #expect(
                large.prefix(6) == [
                    -1.12583983, -1.15236020, -0.25057858, -0.43387881, 0.84871036, 0.69200915,
                ])
            let few: [Float] = try Tensor.randn([4], generator: Generator(seed: 0)).values()
            #expect(few == [1.54099607, -0.29342890, -2.17878938, 0.56843126])
        }

        @Test func realSizesHaveThePublishedSums() throws {
            for (seed, side, sum, squares) in [
                (UInt64(0), 64, -1248.1193707808852, 524766.993436006),
                (42, 32, 22.708246290683746, 132271.04936054745),
            ] {
                let noise = try Tensor.randn(
                    [1, 128, side, side], generator: Generator(seed: seed), dtype: .bfloat16
                ).to(dtype: .float64)
                #expect(abs(try noise.sum().item() - sum) < 1e-6)
                #expect(abs(try noise.square().sum().item() - squares) < 1e-6)
            }
        }

        @Test func aRestoredGeneratorContinuesItsStream() throws {
            let generator = try Generator(seed: 7)
            _ = try Tensor.randn([33], generator: generator)
            let state = try generator.state()
            let first: [Float] = try Tensor.randn([40], generator: generator).values()
            try generator.restore(state)
            #expect(try Tensor.randn([40], generator: generator).values() == first)
        }
    }

    @Suite("Gradients", .serialized)
    struct Gradients {
        @Test func flowToLeavesThatAskForThem() throws {
            let x = try Tensor.from([Float(1), 2, 3])
            try x.requireGradient()
            try (x * x).sum().backward()
            #expect(try x.gradient()?.values(as: Float.self) == [2, 4, 6])
            try x.clearGradient()
            #expect(try x.gradient() == nil)
        }

        @Test func areNotRecordedInAScopeWithoutThem() throws {
            let x = try Tensor.from([Float(1)])
            try x.requireGradient()
            #expect(try !withoutGradients { try x * 2 }.requiresGradient)
            #expect(try (x * 2).requiresGradient)
        }

        @Test func passThroughRotations() throws {
            let positions = try Tensor.from([Int64](0..<6), shape: [3, 2])
            let table = try RotaryTable(positions: positions, axes: [4, 4], theta: 100)
            let x = try Tensor.randn([1, 3, 2, 8], generator: Generator(seed: 1))
            try x.requireGradient()
            try table(x).square().sum().backward()
            // A rotation keeps lengths, so the gradient of the squared length is 2x.
            let gradient = try #require(try x.gradient())
            #expect(try (gradient - x.detached() * 2).abs().maximum().item() < 1e-5)
        }
    }

    @Suite("Layers", .serialized)
    struct Layers {
        @Test func aParameterRefusesAnotherShape() throws {
            let parameter = Scope()["a"].parameter("weight", [2, 3])
            let error = #expect(throws: ParameterError.self) {
                try parameter.load(.zeros([3, 2]))
            }
            #expect(error?.description == "'a.weight' has shape [3, 2], the model needs [2, 3]")
        }

        @Test func anAbsentParameterIsNamed() throws {
            let layer = Linear(Scope()["x"][3], from: 2, to: 2)
            let error = #expect(throws: ParameterError.self) { _ = try layer(.zeros([1, 2])) }
            #expect(error?.key == "x.3.weight")
        }

        @Test func scaledWeightsAndAdaptersAddUp() throws {
            let layer = Linear(Scope()["x"], from: 2, to: 2)
            try layer.weight.load(
                .quantized(
                    QuantizedTensor(
                        .from([Float(1), 2, 3, 4], shape: [2, 2]).to(dtype: .float8e4m3fn),
                        scale: .from([Float(2), 10], shape: [2, 1]))))
            layer.weight.adapters = [
                Adapter(
                    .lowRank(
                        down: try .from([Float(1), 1], shape: [1, 2]),
                        up: try .from([Float(5), 7], shape: [2, 1])), scale: 0.5)
            ]
            let y = try layer(.from([Float(1), 1], shape: [1, 2]))
            #expect(try y.values(as: Float.self) == [6 + 5, 70 + 7])
        }

        @Test func queriesThatSeeNothingGiveZeros() throws {
            let generator = try Generator(seed: 3)
            let x = try Tensor.randn([1, 2, 4, 16], generator: generator, dtype: .bfloat16)
            let mask = try Tensor.from([false, false, true, true], shape: [1, 1, 4, 1])
                .expanded([1, 1, 4, 4])
            let y = try attention(x, x, x, mask: mask)
            #expect(try y.slice(0..<2, along: 2).abs().sum().item() == 0)
            #expect(try y.slice(2..<4, along: 2).abs().sum().item() > 0)
        }
    }
}
