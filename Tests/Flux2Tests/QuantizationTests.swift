@testable import Flux2
import FileSupport
@testable import FluxModels
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// What is quantized of the tiny model, and what comes out of it.
@Suite("Quantized checkpoints", .serialized)
struct QuantizationTests {
    private let folder: TemporaryFolder
    private let model = Reference.ownModel("tiny-klein")
    private static let formats =
        QuantizationFormat.all.filter { $0 != .int8Groups(128) } + [.int8Groups(64)]

    init() throws { folder = try TemporaryFolder() }

    private func write(
        _ settings: QuantizationSettings, part: Component = .transformer,
        to name: String = "model.safetensors"
    ) throws -> (path: String, report: QuantizationReport) {
        let path = folder.file(name)
        let source = try QuantizationSource(model: model, part: part)
        return (path, try QuantizedCheckpoint.write(source, settings, to: path))
    }

    /// Of a transformer, which reads `config.json` beside its weights.
    private func transformer(_ path: String) throws -> (FluxTransformer, [Parameter]) {
        let file = try ComponentFile([path], expected: .transformer)
        let scope = Scope()
        let transformer = FluxTransformer(scope, try file.transformerConfiguration())
        _ = try file.loader().load(scope.parameters)
        return (transformer, scope.parameters)
    }

    private func velocity(_ transformer: FluxTransformer) throws -> Tensor {
        let generator = try Generator(seed: 6)
        let shape = transformer.configuration
        let ids = try Tensor.concatenating(
            [Positions.text(8), Positions.grid(rows: 3, columns: 4)], along: 0)
        return try transformer(
            TransformerInput(
                latents: .randn([1, 12, shape.latentChannels], generator: generator),
                text: .randn([1, 8, shape.textWidth], generator: generator),
                sigma: .full([1], 0.7),
                rotary: RotaryTable(
                    positions: ids, axes: shape.rotaryAxes, theta: shape.rotaryTheta)))
    }

    private func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
        try (a - b).square().sum().item().squareRoot() / b.square().sum().item().squareRoot()
    }

    /// The change of the velocity is of the order of that of the weights.
    @Test(arguments: formats)
    func giveTheVelocityUpToTheErrorOfTheFormat(format: QuantizationFormat) throws {
        try withoutGradients {
            let (path, report) = try write(QuantizationSettings(format))
            #expect(report.layers.count == 30 && report.kept.count == 23)
            #expect(report.bytes < report.sourceBytes * 7 / 10)
            #expect(report.error < (format.dtype == .int8 ? 0.007 : 0.03))
            let (original, _) = try transformer(model + "/transformer")
            let (quantized, _) = try transformer(path)
            let found = try distance(velocity(quantized), velocity(original))
            // Where integers are multiplied, inputs are rounded as well.
            let most = format == .int8Rotated ? 4.5 : 3
            #expect((0.5...most).contains(found / report.error), "\(format.name): \(found)")
        }
    }

    /// With integers multiplied, and with weights made again as on processors that cannot.
    @Test(.enabled(if: Kernel.int8.isUsed, "needs AVX-512 with VNNI"))
    func turnedIntegersGiveTheVelocityEitherWay() throws {
        try withoutGradients {
            let (path, report) = try write(QuantizationSettings(.int8Rotated))
            #expect(report.layers.allSatisfy { (0.004...0.02).contains($0.outputError ?? 0) })
            let original = try velocity(transformer(model + "/transformer").0)
            let (quantized, _) = try transformer(path)
            let integers = try distance(velocity(quantized), original)
            let numbers = try KernelSet.limited(to: .portable) {
                try distance(velocity(quantized), original)
            }
            #expect(numbers < 0.02 && (1.1 * numbers..<0.04).contains(integers), "\(integers)")
        }
    }

    @Test(arguments: formats)
    func holdWhatPackingGivesInTheOrderOfUse(format: QuantizationFormat) throws {
        let (path, report) = try write(QuantizationSettings(format))
        let (_, originals) = try transformer(model + "/transformer")
        let (_, parameters) = try transformer(path)
        let errors = Dictionary(uniqueKeysWithValues: report.layers.map { ($0.name, $0.error) })
        for (original, parameter) in zip(originals, parameters) {
            let weight = try original.stored().tensors[0]
            guard let error = errors[parameter.key] else {
                #expect(try parameter.stored().tensors[0].isEqual(to: weight))
                continue
            }
            let expected = try QuantizedTensor.quantizing(weight, as: format)
            let found = try parameter.value(like: .empty([0]))
            let values = try StoredWeight.quantized(expected)
                .value(dtype: .float32, device: .cpu)
            #expect(try found.isEqual(to: values), "\(parameter.key)")
            #expect(try error == expected.loss(from: weight).relative)
        }
        let file = try SafetensorsFile(path: path)
        let names = file.tensors.map(\.name)
        #expect(names.filter { $0.hasSuffix(".weight") } == parameters.map(\.key))
        let suffix = format == .int8Rotated ? ".rotated_scale" : ".weight_scale"
        #expect(!names.contains { $0.hasSuffix("_scale") && !$0.hasSuffix(suffix) })
        for (place, name) in names.enumerated() where name.hasSuffix(suffix) {
            #expect(names[place - 1] == name.dropLast(suffix.count) + ".weight")
        }
        #expect(file.metadata["quantization"] == format.name)
        #expect(report.layers.map(\.error) == report.layers.map(\.error).sorted(by: >))
    }

    /// The reference's file in 8 bits is that of all weights, byte for byte.
    @Test func allOfItIsWhatTheReferenceMakes() throws {
        let (path, report) = try write(QuantizationSettings(.float8, packsAll: true))
        #expect(report.kept.isEmpty)
        let file = try SafetensorsFile(path: path)
        let expected = try Checkpoint(path: Reference.ownModel("tiny-klein-fp8") + "/transformer")
        #expect(Set(expected.names) == Set(file.tensors.map(\.name)))
        for name in expected.names {
            let (found, other) = try (#require(file[name]), #require(expected[name]))
            #expect(.plain(found.type) == other.info.type && found.shape == other.info.shape)
            #expect(file.bytes(of: found).elementsEqual(other.file.bytes(of: other.info)))
        }
        #expect(throws: ModelError.self) {
            try write(QuantizationSettings(.int8Rows, packsAll: true), to: "b.safetensors")
        }
    }

    @Test func patternsChooseWeights() throws {
        let settings = QuantizationSettings(
            .int8Rows, excluded: ["*.attn.*"], included: ["x_embedder", "*.0.attn.to_q.weight"])
        let (_, report) = try write(settings)
        let names = Set(report.layers.map(\.name))
        #expect(names.contains("x_embedder.weight") && !names.contains("proj_out.weight"))
        #expect(names.contains("transformer_blocks.0.attn.to_q.weight"))
        #expect(!names.contains("transformer_blocks.1.attn.to_q.weight"))
        #expect(names.contains("transformer_blocks.1.ff.linear_in.weight"))
    }

    @Test func settingsThatMakeNoSenseAreRefused() throws {
        for (settings, words) in [
            (QuantizationSettings(.int8Rows, excluded: ["blocks"]), "no weight is called 'blocks'"),
            (QuantizationSettings(.int8Rows, excluded: ["*"]), "no weight is left"),
            (QuantizationSettings(.int8Groups(128)), "groups have to divide its rows"),
        ] {
            let error = #expect(throws: ModelError.self) { try write(settings) }
            #expect(error?.description.contains(words) == true)
        }
        #expect(folder.contents.isEmpty)
    }

    @Test func whatIsQuantizedIsNotQuantizedAgain() throws {
        let (path, _) = try write(QuantizationSettings(.float8Tensor))
        for model in [path, Reference.ownModel("tiny-klein-fp8")] {
            let error = #expect(throws: ModelError.self) { try QuantizationSource(model: model) }
            #expect(error?.description.contains("of 8 bits") == true)
        }
    }

    /// The text encoder keeps its names; layers that no image needs are left out.
    @Test func aTextEncoderGivesTheFeaturesUpToTheErrorOfTheFormat() throws {
        let (path, report) = try write(QuantizationSettings(.int8Rows), part: .textEncoder)
        #expect(report.kept.contains("model.embed_tokens.weight"))
        #expect(report.layers.allSatisfy { $0.name.hasPrefix("model.layers.") })
        var files = try ModelFiles(model: model)
        let expected = try features(files)
        files.textEncoder = [path]
        let found = try distance(features(files), expected)
        #expect(0 < found && found < 0.03, "\(found)")
    }

    private func features(_ files: ModelFiles) throws -> Tensor {
        try withoutGradients {
            let pipeline = try Pipeline(files, device: .cpu, dtype: .float32)
            var request = GenerationRequest(prompt: "a red fox", seed: 3)
            (request.height, request.width, request.steps) = (64, 64, 1)
            var run = try GenerationRun(pipeline, request)
            return try run.encode { _ in }.conditional
        }
    }

    /// A single file without a configuration, in another naming.
    @Test func aFileInAnotherNamingIsWrittenInTheCanonicalOne() throws {
        let single = folder.file("flux-2-tiny.safetensors")
        try SingleFileWriter(model + "/transformer").write(.bflTransformer, to: single)
        try Folder.make(folder.file("out"))
        let source = try QuantizationSource(model: single)
        let path = folder.file("out/model.safetensors")
        _ = try QuantizedCheckpoint.write(source, QuantizationSettings(.float8Rows), to: path)
        let (direct, _) = try write(QuantizationSettings(.float8Rows))
        let (found, expected) = try (SafetensorsFile(path: path), SafetensorsFile(path: direct))
        #expect(found.tensors.map(\.name) == expected.tensors.map(\.name))
        for info in expected.tensors {
            let other = try #require(found[info.name])
            #expect(found.bytes(of: other).elementsEqual(expected.bytes(of: info)), "\(info.name)")
        }
        let configuration = folder.file("out/config.json")
        #expect(
            try Configuration.read(TransformerConfiguration.self, from: configuration)
                == TinyModel("tiny-klein").configuration(
                    "transformer", TransformerConfiguration.self))
    }

    @Test func itIsKnownWhetherOneIsCurrent() throws {
        let copy = try folder.model()
        let settings = QuantizationSettings(.int8Rows)
        let path = folder.file("model.safetensors")
        let source = try QuantizationSource(model: copy)
        #expect(!QuantizedCheckpoint.isCurrent(path, of: source, settings))
        _ = try QuantizedCheckpoint.write(source, settings, to: path)
        #expect(QuantizedCheckpoint.isCurrent(path, of: source, settings))
        #expect(!QuantizedCheckpoint.isCurrent(path, of: source, .init(.float8Rows)))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1e9)],
            ofItemAtPath: source.files[0].path)
        let touched = try QuantizationSource(model: copy)
        #expect(!QuantizedCheckpoint.isCurrent(path, of: touched, settings))
    }

    @Test func whatCannotBeFinishedLeavesNothing() throws {
        struct Stop: Error {}
        let source = try QuantizationSource(model: model)
        #expect(throws: Stop.self) {
            try QuantizedCheckpoint.write(
                source, QuantizationSettings(.int8Rows), to: folder.file("model.safetensors")
            ) { if $0.done > $0.total / 2 { throw Stop() } }
        }
        #expect(folder.contents.isEmpty)
    }

    @Test func weightsThatAreNotFiniteAreNamed() throws {
        let copy = try folder.model()
        let path = copy + "/transformer/diffusion_pytorch_model.safetensors"
        let key = "transformer_blocks.1.attn.to_k.weight"
        let file = try SafetensorsFile(path: path)
        try SafetensorsWriter.write(
            to: path,
            tensors: file.tensors.map { info in
                let values = try Tensor.mapped(info, of: file)
                return try TensorToWrite(info.name, info.name == key ? values / 0 : values)
            }, requiresFinite: false)
        let source = try QuantizationSource(model: copy)
        for format in Self.formats {
            let error = #expect(throws: WeightError.self) {
                try QuantizedCheckpoint.write(
                    source, QuantizationSettings(format), to: folder.file("model.safetensors"))
            }
            #expect(error?.key == key && error?.reason == .notFinite)
        }
        #expect(folder.contents == ["tiny-klein"])
    }

    @Test func placesThatWouldHarmSomethingAreRefused() throws {
        let copy = try folder.model()
        let source = try QuantizationSource(model: copy)
        for (path, words) in [
            (copy + "/transformer/x.safetensors", "where the source is"),
            (copy + "/vae/x.safetensors", "another model"),
        ] {
            let error = #expect(throws: ModelError.self) {
                try QuantizedCheckpoint.write(
                    source, QuantizationSettings(.int8Rows), to: path, overwrite: true)
            }
            #expect(error?.description.contains(words) == true)
        }
    }
}
