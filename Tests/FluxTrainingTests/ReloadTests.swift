@testable import Flux2
@testable import FluxTraining
import FluxModels
import Foundation
import Imaging
import LoRA
import Offloading
import TestSupport
import Testing
import Torch

/// What was trained works elsewhere as it did here.
@Suite("Checkpoints give back what was trained") struct ReloadTests {
    private let folder: TemporaryFolder
    private let parts: TrainingParts
    private let weights: TrainableWeights

    init() throws {
        folder = try TemporaryFolder()
        let files = TrainingFiles(try .init(model: Reference.ownModel("tiny-klein")))
        parts = try TrainingParts(files, device: .cpu, dtype: .bfloat16)
        weights = TrainableWeights(parts)
    }

    private func input(_ configuration: TransformerConfiguration) throws -> TransformerInput {
        let generator = try Generator(seed: 2)
        let positions = try Tensor.concatenating(
            [Positions.text(16), Positions.grid(rows: 2, columns: 3)], along: 0)
        return TransformerInput(
            latents: try .randn([1, 6, 128], generator: generator, dtype: .bfloat16),
            text: try .randn(
                [1, 16, configuration.textWidth], generator: generator, dtype: .bfloat16),
            sigma: try Tensor.from([Float(0.5)]).to(dtype: .bfloat16),
            rotary: try RotaryTable(
                positions: positions, axes: configuration.rotaryAxes,
                theta: configuration.rotaryTheta))
    }

    /// Changes everything that is trained by random numbers, as a training would.
    private func change() throws {
        let generator = try Generator(seed: 3)
        try withoutGradients {
            for parameter in weights.parameters {
                let noise = try Tensor.randn(parameter.tensor.shape, generator: generator) * 0.05
                try parameter.tensor.addInPlace(noise.to(dtype: .bfloat16))
            }
        }
    }

    private func output(of model: FluxTransformer) throws -> Tensor {
        try withoutGradients { try model(input(model.configuration)) }
    }

    @Test func ofWholeWeights() throws {
        try weights.train(TrainableModule("dit", option: ""))
        try change()
        let trained = try output(of: #require(parts.transformer).model)
        let path = try CheckpointWriter(folder: folder.path).write(weights, as: "epoch-0")
        let loaded = try TinyModel(path: Reference.ownModel("tiny-klein"))
            .transformerWithParameters()
        let before = try output(of: loaded.0)
        let file = try ComponentFile([path], expected: .transformer)
        _ = try file.loader().load(loaded.1)
        #expect(try output(of: loaded.0).isEqual(to: trained))
        #expect(try !before.isEqual(to: trained))
    }

    @Test(arguments: LoRADialect.allCases)
    func ofALoRAInEveryNaming(_ dialect: LoRADialect) throws {
        try weights.addAdapters(
            to: TrainableModule("dit", option: ""),
            targets: LoRATargets("to_q,to_k,to_out.0,linear_in,to_qkv_mlp_proj"), rank: 4,
            alpha: 8, seed: 1)
        try change()
        let trained = try output(of: #require(parts.transformer).model)
        var writer = CheckpointWriter(folder: folder.path)
        writer.dialect = dialect
        writer.metadata = ["flux2.step": "1"]
        let path = try writer.write(weights, as: "lora")
        let (model, parameters) = try TinyModel(path: Reference.ownModel("tiny-klein"))
            .transformerWithParameters()
        let bank = LoRAManager(parameters, dtype: .bfloat16, device: .cpu)
        let use = [LoRAUse(path: path)]
        try bank.read(use) { _ in }
        bank.activate(use, mode: .hot, for: .conditional)
        let found = try output(of: model)
        // A scale that is no power of two would be rounded elsewhere; this one is 2.
        let distance = try (found.to(dtype: .float32) - trained.to(dtype: .float32)).abs()
            .maximum().item()
        #expect(dialect == .kohya || dialect == .comfyui ? distance < 0.05 : distance == 0)
        #expect(try LoRAFile(path: path).metadata["flux2.step"] == "1")
    }
}
