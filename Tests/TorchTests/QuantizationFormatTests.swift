import Testing
import Torch

extension TorchTests {
    @Suite("Weights of eight bits", .serialized)
    struct Packings {
        private static let formats: [DType] = [.float8e4m3fn, .float8e5m2, .int8]
        private static let targets: [DType] = [.float32, .bfloat16, .float16]

        /// Every byte several times, in rows of an odd length unless groups divide them.
        private func bytes(_ dtype: DType, _ shape: [Int]) throws -> Tensor {
            let count = shape.reduce(1, *)
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 256) }
            return try bytes.withUnsafeBytes { try .from(bytes: $0, shape: shape, dtype: dtype) }
        }

        /// Bit for bit, but for NaN, of which there are many.
        private func expectSame(
            _ found: Tensor, _ expected: Tensor, _ what: String,
            _ location: SourceLocation = #_sourceLocation
        ) throws {
            #expect(found.shape == expected.shape, "\(what)", sourceLocation: location)
            let pairs = zip(
                try found.to(dtype: .float32).values(as: Float.self),
                try expected.to(dtype: .float32).values(as: Float.self))
            let differing = pairs.enumerated().first {
                $1.0.bitPattern != $1.1.bitPattern && !($1.0.isNaN && $1.1.isNaN)
            }
            #expect(differing == nil, "\(what)", sourceLocation: location)
        }

        /// By ATen, one value at a time: values that do not lie side by side are not converted here.
        private func byATen(_ values: Tensor) throws -> Tensor {
            if values.dtype == .int8 { return try values.to(dtype: .float32) }
            let raw = try values.bitcast(to: .uint8).reshaped([-1, 1])
            let apart = try Tensor.concatenating([raw, raw], along: 1).bitcast(to: values.dtype)
                .slice(0..<1, along: 1)
            return try apart.to(dtype: .float32).reshaped(values.shape)
        }

        @Test(arguments: formats, targets)
        func areUnpackedAsATenMultipliesThem(format: DType, target: DType) throws {
            let generator = try Generator(seed: 1)
            for (shape, scales) in [
                ([3, 257], [nil, [], [1], [3, 1]]), ([515], [nil, [], [515, 1]]),
                ([1, 1], [nil, [1, 1]]), ([6, 384], [[6, 3], [6, 1], [6, 384], nil]),
                ([640, 256], [nil, [], [640, 1], [640, 2]]),
                ([5, 4, 3, 3], [[], [5, 1], [5, 4]]),
                ([0, 4], [nil, []]),
            ] as [([Int], [[Int]?])] {
                for scaleShape in scales {
                    let values = try bytes(format, shape)
                    let scale = try scaleShape.map {
                        try Tensor.rand($0, generator: generator) * 0.1
                    }
                    let found = try Tensor.empty(shape, dtype: target)
                    try QuantizedTensor(values, scale: scale).dequantize(into: found)
                    var expected = try byATen(values)
                    if let scale, scale.count > 1 {
                        expected = try (expected.reshaped(scale.shape + [-1]) * scale.unsqueezed(2))
                            .reshaped(shape)
                    } else if let scale {
                        expected = try expected * scale.reshaped([])
                    }
                    try expectSame(
                        found, expected.to(dtype: target),
                        "\(format) \(shape) times \(scaleShape ?? []) as \(target)")
                }
            }
        }

        @Test func valuesThatDoNotLieSideBySideAreUnpackedToo() throws {
            let all = try bytes(.int8, [8, 8])
            let scale = try Tensor.arange(to: 8).reshaped([8, 1])
            let turned = try all.transposed(0, 1)
            let (found, expected) = try (Tensor.empty([8, 8]), Tensor.empty([8, 8]))
            try QuantizedTensor(turned, scale: scale).dequantize(into: found)
            try QuantizedTensor(turned.contiguous(), scale: scale).dequantize(into: expected)
            try expectSame(found, expected, "transposed")
        }

        @Test func scalesOfAnotherShapeAreRefused() throws {
            let values = try bytes(.int8, [4, 6])
            let target = try Tensor.empty([4, 6])
            for shape in [[4], [4, 4], [2, 1], [1, 6], [4, 3, 1]] {
                let error = #expect(throws: TorchError.self) {
                    try QuantizedTensor(values, scale: .ones(shape)).dequantize(into: target)
                }
                #expect(error?.description.contains("scales of shape") == true)
            }
        }

        /// All 16-bit values, and of 32 those around each value of 8 bits and each middle.
        @Test func aPlainConversionRoundsAsATenDoes() throws {
            let words = (0...UInt16.max).map(\.self)
            let sixteen = try words.withUnsafeBytes { bytes in
                try [DType.bfloat16, .float16].map {
                    try Tensor.from(bytes: bytes, shape: [1, words.count], dtype: $0)
                }
            }
            let exact = try byATen(bytes(.float8e4m3fn, [256])).values(as: Float.self)
                .filter(\.isFinite).sorted()
            let middles = zip(exact, exact.dropFirst()).map { ($0 + $1) / 2 } + [464, 480, 1e30]
            let close =
                (exact + middles).flatMap { [$0.nextDown, $0, $0.nextUp] }
                + [.infinity, -.infinity, .nan, .leastNonzeroMagnitude, -0.0]
            for weight in sixteen + [try Tensor.from(close, shape: [1, close.count])] {
                let quantized = try QuantizedTensor.quantizing(weight, as: .float8)
                #expect(quantized.scale == nil)
                try expectSame(
                    byATen(quantized.values), byATen(weight.to(dtype: .float8e4m3fn)),
                    weight.dtype.name)
            }
        }

        /// Turned ones have tests of their own.
        private static let scaled =
            QuantizationFormat.all.filter { $0 != .float8 && $0 != .int8Rotated } + [
                .int8Groups(32)
            ]

        @Test(arguments: scaled, targets)
        func scaledValuesAreTheNearest(format: QuantizationFormat, dtype: DType) throws {
            let generator = try Generator(seed: 5)
            for shape in [[7, 384], [33, 128], [1, 1], [300, 1280], [3, 7]]
            where format.fits(shape) {
                let rows = try Tensor.rand([shape[0], 1], generator: generator)
                let weight = try (Tensor.randn(shape, generator: generator) * rows)
                    .to(dtype: dtype)
                // A row of zeros has a scale of 1.
                try weight.slice(0..<1, along: 0).multiplyInPlace(.zeros([1], dtype: dtype))
                let quantized = try QuantizedTensor.quantizing(weight, as: format)
                let (values, scale) = try reference(weight, format)
                let found = try #require(quantized.scale)
                try expectSame(found, scale, "scales of \(shape)")
                #expect(quantized.values.dtype == format.dtype && quantized.values.shape == shape)
                try expectSame(byATen(quantized.values), values, "values of \(shape)")
            }
        }

        /// By ATen's own operations.
        private func reference(
            _ weight: Tensor, _ format: QuantizationFormat
        ) throws -> (values: Tensor, scale: Tensor) {
            let limit = format.dtype == .int8 ? 127.0 : 448
            let width = weight.size(1)
            let (rows, groups): (Int, Int) =
                switch format {
                case .float8Tensor: (1, 1)
                case .int8Groups(let group) where group < width: (weight.size(0), width / group)
                default: (weight.size(0), 1)
                }
            let exact = try weight.to(dtype: .float32).reshaped([rows, groups, -1])
            let largest = try exact.abs().maximum(along: [2])
            let scale = try Tensor.choosing(
                largest.equal(to: 0), .ones([1]), largest / limit)
            let divided = try (exact / scale.unsqueezed(2)).clamped(to: -limit...limit)
            let values =
                format.dtype == .int8
                ? try divided.round() + 0 : try byATen(divided.to(dtype: .float8e4m3fn))
            return try (
                values.reshaped(weight.shape), format == .float8Tensor ? scale.reshaped([]) : scale
            )
        }

        @Test func shapesThatGroupsDoNotDivideAreRefused() throws {
            let format = QuantizationFormat.int8Groups(128)
            #expect(format.fits([4, 256]) && format.fits([4, 100]) && !format.fits([4, 200]))
            #expect(
                !QuantizationFormat.float8.fits([]) && !QuantizationFormat.float8Rows.fits([3, 0]))
            let error = #expect(throws: TorchError.self) {
                try QuantizedTensor.quantizing(.ones([4, 200]), as: format)
            }
            #expect(error?.description.contains("groups of 128") == true)
        }

        @Test func namesAreRead() {
            for format in QuantizationFormat.all + [.int8Groups(64)] {
                #expect(QuantizationFormat(name: format.name) == format)
            }
            #expect(QuantizationFormat(name: "int8-row") == .int8Rows)
            for word in ["", "int4", "int8-group:", "int8-group:0", "int8-group:-1", "float8:3"] {
                #expect(QuantizationFormat(name: word) == nil)
            }
        }

        @Test func theErrorIsThatOfTheFormat() throws {
            let weight = try Tensor.randn([512, 1024], generator: Generator(seed: 3))
                .to(dtype: .bfloat16)
            // Four bits of precision leave 2.6 % of normal values; a step of 1/127 of the largest
            // of n leaves that over the square root of 12.
            for (format, expected) in [
                (QuantizationFormat.float8Rows, 0.02...0.03), (.float8Tensor, 0.02...0.03),
                (.int8Rows, 0.006...0.009), (.int8Groups(128), 0.005...0.007),
            ] {
                let quantized = try QuantizedTensor.quantizing(weight, as: format)
                let error = try quantized.loss(from: weight)
                #expect(expected.contains(error.relative), "\(format)")
                let (exact, found) = try (
                    weight.to(dtype: .float32),
                    StoredWeight.quantized(quantized).value(dtype: .float32, device: .cpu)
                )
                let squares = try (exact - found).square().sum().item()
                #expect(abs(error.difference / squares - 1) < 1e-5)
                #expect(try abs(error.weight / exact.square().sum().item() - 1) < 1e-5)
            }
            // What is too large for a plain conversion is cut off, and shows.
            let cut = try QuantizedTensor.quantizing(weight * 1000, as: .float8)
            #expect(try cut.loss(from: weight * 1000).relative > 0.3)
        }
    }
}
