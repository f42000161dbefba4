@testable import Flux2
@testable import FluxModels
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// A tiny transformer with its matrices in 8 bits, as other programs write them.
private struct ScaledFile {
    var keyMap = KeyMap.diffusersTransformer
    var format = QuantizationFormat.float8Tensor
    var scaleName = "weight_scale"
    /// Tensors beside each weight that is quantized, by the end of their names.
    var beside: [String: Tensor] = [:]
    /// Other tensors.
    var others: [String: Tensor] = [:]
    /// What becomes of a scale before it is written.
    var change: (Tensor) throws -> Tensor = { $0 }

    /// - Returns: the weights that were quantized, by their name in the file.
    @discardableResult
    func write(to path: String, metadata: [String: String] = [:]) throws -> [String:
        QuantizedTensor]
    {
        let folder = Reference.ownModel("tiny-klein") + "/transformer"
        var tensors = try SingleFileWriter(folder).tensors(keyMap)
        var quantized: [String: QuantizedTensor] = [:]
        for (name, weight) in tensors where weight.rank == 2 && name.hasSuffix(".weight") {
            let result = try QuantizedTensor.quantizing(weight, as: format)
            quantized[name] = result
            tensors[name] = result.values
            let layer = String(name.dropLast("weight".count))
            if let scale = result.scale { tensors[layer + scaleName] = try change(scale) }
            for (suffix, tensor) in beside { tensors[layer + suffix] = tensor }
        }
        tensors.merge(others) { $1 }
        try SafetensorsWriter.write(
            to: path, tensors: tensors.map { try TensorToWrite($0, $1) }, metadata: metadata)
        return quantized
    }
}

@Suite("Checkpoints of eight bits with scales")
struct ScaledCheckpointTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("model.safetensors")
    }

    private func note(_ json: String) throws -> Tensor { try .from(Array(json.utf8)) }

    private func parameters(_ file: ComponentFile) throws -> [Parameter] {
        guard case .transformer(let shape) = file.content else { return [] }
        let scope = Scope()
        _ = FluxTransformer(scope, try #require(shape))
        return scope.parameters
    }

    private func load() throws -> [Parameter] {
        let file = try ComponentFile([path], expected: .transformer)
        let parameters = try parameters(file)
        _ = try file.loader().load(parameters)
        return parameters
    }

    /// Each parameter has the values that its part of the quantized tensor has.
    private func expect(
        _ parameters: [Parameter], are quantized: [String: QuantizedTensor], _ keyMap: KeyMap
    ) throws {
        var count = 0
        for parameter in parameters {
            let transform = keyMap.transform(parameter.key)
            guard let weight = quantized[transform.source] else { continue }
            guard case .loaded(.quantized(let held)) = parameter.storage else {
                Issue.record("'\(parameter.key)' is not quantized")
                continue
            }
            #expect(held.scale?.dtype == .float32)
            let whole = try StoredWeight.quantized(weight).value(dtype: .float32, device: .cpu)
                .copy()
            let expected = try transform(.dense(whole), shape: parameter.shape)
                .value(dtype: .float32, device: .cpu)
            let found = try parameter.value(like: .empty([0]))
            #expect(try found.isEqual(to: expected), "'\(parameter.key)'")
            count += 1
        }
        #expect(count >= quantized.count)
    }

    @Test(arguments: [
        QuantizationFormat.float8Tensor, .float8Rows, .int8Rows, .int8Groups(32), .int8Rotated,
    ])
    func areReadInEveryNaming(format: QuantizationFormat) throws {
        let keyMaps = ["", "model.diffusion_model."].flatMap { prefix in
            [KeyMap.diffusersTransformer, .bflTransformer].map { $0.prefixed(prefix) }
        }
        for keyMap in keyMaps {
            var file = ScaledFile(keyMap: keyMap, format: format)
            if format == .int8Rotated { file.scaleName = "rotated_scale" }
            let quantized = try file.write(to: path)
            #expect(quantized.count >= 20)
            try expect(load(), are: quantized, keyMap)
        }
    }

    @Test func scalesMayHaveOtherShapesAndTypes() throws {
        var file = ScaledFile(format: .float8Tensor)
        file.change = { try $0.reshaped([1]) }
        let quantized = try file.write(to: path)
        try expect(load(), are: quantized, file.keyMap)
    }

    @Test func scalesOfRowsMayBeAVector() throws {
        let file = ScaledFile(format: .int8Rows, change: { try $0.reshaped([-1]) })
        let quantized = try file.write(to: path)
        try expect(load(), are: quantized, file.keyMap)
        // In 16 bits they are what 16 bits make of them.
        try ScaledFile(format: .int8Rows, change: { try $0.to(dtype: .bfloat16) }).write(to: path)
        let rounded = try quantized.mapValues {
            QuantizedTensor(
                $0.values, scale: try $0.scale?.to(dtype: .bfloat16).to(dtype: .float32))
        }
        try expect(load(), are: rounded, file.keyMap)
    }

    @Test func whatLiesBesideThemIsNoSurplus() throws {
        let one = try Tensor.ones([])
        var newer = ScaledFile(keyMap: .bflTransformer)
        newer.beside = try [
            "input_scale": one,
            "comfy_quant": note(
                #"{"format": "float8_e4m3fn", "full_precision_matrix_mult": true}"#),
        ]
        let layers =
            #"{"format_version": "1.0", "layers": {"img_in": {"format": "float8_e4m3fn"}}}"#
        let quantized = try newer.write(to: path, metadata: ["_quantization_metadata": layers])
        try expect(load(), are: quantized, newer.keyMap)

        let keyMap = KeyMap.bflTransformer.prefixed("model.diffusion_model.")
        var older = ScaledFile(keyMap: keyMap, scaleName: "scale_weight")
        older.beside = ["scale_input": one]
        older.others = try [
            "model.diffusion_model.scaled_fp8": .zeros([0], dtype: .float32)
                .to(dtype: .float8e4m3fn)
        ]
        let same = try older.write(to: path)
        try expect(load(), are: same, keyMap)
    }

    @Test(arguments: [
        #"{"format": "nvfp4"}"#, #"{"format": "mxfp8", "group_size": 32}"#,
        #"{"format": "int8_tensorwise", "convrot": true}"#, #"{"layout": "x"}"#, "not JSON",
    ])
    func formatsThatAreNotUnderstoodAreNamed(json: String) throws {
        var file = ScaledFile()
        file.beside = ["comfy_quant": try note(json)]
        try file.write(to: path)
        let error = #expect(throws: WeightError.self) {
            try ComponentFile([path], expected: .transformer)
        }
        #expect(error?.file == path && error?.key.hasSuffix(".comfy_quant") == true)
        let name = json.split(separator: "\"").dropFirst(3).first.map(String.init) ?? "JSON"
        #expect(error?.description.contains(name == "x" ? "format" : name) == true)
        #expect(error?.description.contains("expected float8_e4m3fn") == true)
    }

    /// A word that is not known may say that the numbers mean something else.
    @Test(arguments: [
        (#""convrot": 1"#, "'convrot': 1"), (#""convrot": "true""#, "'convrot': 'true'"),
        (#""convrot_groupsize": 256"#, "'convrot_groupsize': 256"),
        (#""params": {"convrot": true}"#, "'params.convrot': true"),
        (#""params": {"params": {"convrot": true}}"#, "'params.params.convrot': true"),
        (#""params": [1]"#, "'params': an array of 1"), (#""hadamard": true"#, "'hadamard': true"),
        (#""full_precision_matrix_mult": "no""#, "'full_precision_matrix_mult'"),
        (#""group_size": 64"#, "'group_size': 64"),
    ])
    func wordsOfNotesThatAreNotKnownAreNamed(_ member: String, _ words: String) throws {
        let json = #"{"format": "int8_tensorwise", \#(member)}"#
        let note = try note(json)
        try ScaledFile(format: .int8Rows, beside: ["comfy_quant": note]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        let header = #"{"format_version": "1.0", "layers": {"x_embedder": \#(json)}}"#
        try ScaledFile(format: .int8Rows).write(
            to: path, metadata: ["_quantization_metadata": header])
        let second = #expect(throws: WeightError.self) { try load() }
        #expect(second?.description.contains(words) == true, "\(second?.description ?? "")")
    }

    @Test(arguments: [
        #""convrot": false, "convrot_groupsize": 256"#, #""params": {"convrot": false}"#,
        #""params": {}, "full_precision_matrix_mult": false"#,
    ])
    func wordsThatChangeNothingAreNoObstacle(_ member: String) throws {
        let note = try note(#"{"format": "int8_tensorwise", \#(member)}"# + "\0\0")
        let file = ScaledFile(format: .int8Rows, beside: ["comfy_quant": note])
        let quantized = try file.write(to: path)
        try expect(load(), are: quantized, file.keyMap)
    }

    @Test func aNoteAboutANumberOfAnotherTypeIsRefused() throws {
        let note = try note(#"{"format": "float8_e4m3fn"}"#)
        try ScaledFile(format: .int8Rows, beside: ["comfy_quant": note]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.description.contains("its weight is of type I8") == true)
    }

    @Test(arguments: [
        ("_quantization_metadata", #"{"format_version": "2.0", "layers": {}}"#, "'format_version'"),
        ("_quantization_metadata", #"{"layers": {}, "rotation": 1}"#, "'rotation': 1"),
        ("_quantization_metadata", #"{"layers": []}"#, "without 'layers'"),
        ("quant_format", "mxfp8", "'quant_format' says mxfp8"),
        ("quantization_config", "{}", "'quantization_config' says {}"),
    ])
    func headersThatSayMoreThanIsKnownAreRefused(
        _ key: String, _ text: String, _ words: String
    ) throws {
        try ScaledFile().write(to: path, metadata: [key: text])
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func aMarkOfAnotherTypeIsRefused() throws {
        let mark = try Tensor.zeros([2], dtype: .float32).to(dtype: .float16)
        try ScaledFile(scaleName: "scale_weight", others: ["scaled_fp8": mark]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.key == "scaled_fp8")
    }

    @Test(arguments: [
        ("absmax", "bitsandbytes"), ("weight_scale_2", "nvfp4"), ("svd_up", "SDNQ"),
        ("weight._data", "quanto"), ("weight_scale_inv", "square blocks"), ("scales", "MLX"),
    ])
    func tensorsOfOtherProgramsFormatsAreNamed(_ suffix: String, _ words: String) throws {
        try ScaledFile(others: ["x_embedder." + suffix: .ones([2])]).write(to: path)
        let error = #expect(throws: WeightError.self) {
            try ComponentFile([path], expected: .transformer)
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func formatsInTheHeaderAreLookedAt() throws {
        let text = #"{"layers": {"img_in": {"format": "nvfp4"}}}"#
        try ScaledFile().write(to: path, metadata: ["_quantization_metadata": text])
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(
            error?.description == "\(path): 'img_in' is stored as 'nvfp4', "
                + "expected float8_e4m3fn, float8_e5m2, int8_tensorwise")
    }

    @Test func aScaleWithoutAWeightIsRefused() throws {
        try ScaledFile(others: ["extra.weight_scale": .ones([])]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.key == "extra.weight_scale")
        #expect(error?.description.contains("'extra.weight' is not there") == true)
    }

    @Test func aWeightThatTheModelDoesNotKnowIsStillTooMuch() throws {
        let extra = try Tensor.ones([2, 2]).to(dtype: .float8e4m3fn)
        try ScaledFile(others: ["extra.weight": extra, "extra.weight_scale": .ones([])])
            .write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.key == "extra.weight" && error?.reason == .unused(count: 2))
    }

    @Test func scalesThatDoNotFitAreRefused() throws {
        let changes: [(QuantizationFormat, String, (Tensor) throws -> Tensor)] = [
            (.int8Rows, "has shape [", { try .concatenating([$0, $0], along: 0) }),
            (.float8Tensor, "has shape [3]", { _ in try .ones([3]) }),
            (.float8Tensor, "expected floating-point", { _ in try .ones([], dtype: .uint8) }),
        ]
        for (format, words, change) in changes {
            try ScaledFile(format: format, change: change).write(to: path)
            let error = #expect(throws: WeightError.self) { try load() }
            #expect(error?.key.hasSuffix(".weight_scale") == true)
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        }
        let norm = "transformer_blocks.0.attn.norm_q.weight_scale"
        try ScaledFile(others: [norm: .ones([])]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.key == norm && error?.description.contains("not of 8 bits") == true)
    }

    /// Scales of rotated rows belong to integers in rows, and are no other's.
    @Test func scalesOfTurnedRowsThatDoNotFitAreRefused() throws {
        for format in [QuantizationFormat.float8Rows, .int8Groups(32)] {
            try ScaledFile(format: format, scaleName: "rotated_scale").write(to: path)
            let error = #expect(throws: WeightError.self) { try load() }
            #expect(error?.key.hasSuffix(".rotated_scale") == true)
            #expect(error?.description.contains("not of int8 values in rows") == true)
        }
        try ScaledFile(format: .int8Rows, beside: ["rotated_scale": .ones([])]).write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.description.contains("has scales of two kinds") == true)
    }

    @Test func integersWithoutAScaleAreRefused() throws {
        try ScaledFile(format: .int8Rows, scaleName: "input_scale").write(to: path)
        let error = #expect(throws: WeightError.self) { try load() }
        #expect(error?.reason == .integers("I8"))
    }

    @Test func theirPlacesAreWeightAndScale() throws {
        try ScaledFile(keyMap: .bflTransformer).write(to: path)
        let file = try ComponentFile([path], expected: .transformer)
        let parameters = try parameters(file)
        let key = try #require(parameters.first { $0.key.hasSuffix("to_k.weight") })
        #expect(
            file.loader().places(key).map(\.info.name) == [
                "double_blocks.0.img_attn.qkv.weight",
                "double_blocks.0.img_attn.qkv.weight_scale",
            ])
        #expect(try file.loader().stored([key])[0].shape == key.shape)
        guard case .absent = key.storage else {
            Issue.record("looking at stored values loads them")
            return
        }
    }
}
