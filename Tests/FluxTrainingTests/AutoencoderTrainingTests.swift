@testable import FluxTraining
import Flux2
import FluxModels
import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

@Suite("An autoencoder") struct AutoencoderTrainingTests {
    /// Losses of a run, from the first to the last.
    private final class Losses: @unchecked Sendable {
        var steps: [Double] = []
        var heldOut: [Double] = []
    }

    private func run(
        _ new: Configurations, _ change: (inout TrainingSettings) -> Void = { _ in }
    ) async throws -> (Losses, String) {
        let images = try ImageFolder(count: 2, width: 32, height: 32)
        let whole = try TrainableModule("vae", option: "")
        let settings = images.settings {
            $0.task = .autoencoder
            $0.method.loraBase = nil
            $0.checkpointing = nil
            $0.method.trained = [whole]
            $0.optimization.learningRate = 2e-3
            $0.optimization.schedule = .constant
            $0.optimization.epochs = 40
            $0.data.batchSize = 2
            $0.output.saveEvery = 40
            $0.output.folder = new.folder.file("out")
            change(&$0)
        }
        let losses = Losses()
        let files = TrainingFiles(try ModelFiles(model: new.path))
        let outcome = try await Trainer(settings, files, dtype: .float32, threads: 1).run {
            if case .step(let report) = $0 { losses.steps.append(report.loss) }
            if case .validated(_, let loss) = $0 { losses.heldOut.append(loss) }
        }
        return (losses, try #require(outcome.path))
    }

    @Test func learnsToGiveImagesBack() async throws {
        let new = try Configurations()
        try NewModel(folder: new.path).write(seed: 1)
        let (losses, path) = try await run(new)
        #expect(losses.steps.count == 40)
        let (first, last) = (losses.steps[0], losses.steps[39])
        #expect(last < 0.5 * first, "\(first) to \(last)")
        // The statistics by which latents are normalized have come along.
        let file = try SafetensorsFile(path: path)
        let mean = try #require(file["pipe.vae.bn.running_mean"])
        withExtendedLifetime(file) { #expect(file.bytes(of: mean).contains { $0 != 0 }) }
        #expect(file.tensors.allSatisfy { $0.name.hasPrefix("pipe.vae.") })
    }

    /// As `torch.nn.BatchNorm2d` counts them; weights that do not change give the same every time.
    @Test func followsTheStatisticsOfItsLatents() async throws {
        let new = try Configurations()
        try NewModel(folder: new.path).write(seed: 1)
        let (_, path) = try await run(new) {
            $0.optimization.learningRate = 0
            $0.optimization.weightDecay = 0
            $0.optimization.epochs = 3
            $0.optimization.accumulation = 1
        }
        let model = try TinyModel(path: new.path).autoencoder()
        let images = try ImageFolder(count: 2, width: 32, height: 32)
        let latents = try Tensor.concatenating(
            (0..<2).map { number in
                let image = try Image(contentsOf: "\(images.path)/\(number).png")
                let pixels = try Tensor.pixels(of: image, dtype: .float32)
                let moments = try model.moments(of: pixels)
                return try Autoencoder.patchify(
                    moments.slice(0..<model.configuration.latentChannels, along: 1))
            }, along: 0)
        let mean = try latents.mean(along: [0, 2, 3], keepingAxes: true)
        let squares = try (latents - mean).square().sum(along: [0, 2, 3])
        let count = Double(2 * latents.size(2) * latents.size(3))
        let old = 0.9 * 0.9 * 0.9
        let file = try SafetensorsFile(path: path)
        func found(_ name: String) throws -> Tensor {
            try Tensor.mapped(#require(file["pipe.vae.bn.\(name)"]), of: file)
        }
        let expectedMean = try mean.reshaped([-1]) * (1 - old)
        let expectedVariance = try squares / (count - 1) * (1 - old) + old
        for (name, expected) in [
            ("running_mean", expectedMean), ("running_var", expectedVariance),
        ] {
            let difference = try (found(name) - expected).abs().maximum().item()
            #expect(try difference < 1e-4 * expected.abs().maximum().item(), "\(name)")
        }
    }

    @Test func isLookedAtByWhatIsHeldOut() async throws {
        let new = try Configurations()
        try NewModel(folder: new.path).write(seed: 1)
        let (losses, _) = try await run(new) {
            $0.data.batchSize = 1
            $0.validation.heldOut = 1
            $0.validation.validateEvery = 20
        }
        #expect(losses.heldOut.count == 2)
        #expect(losses.heldOut[1] < losses.heldOut[0])
    }

    /// A larger weight draws the latents towards normal noise.
    @Test func weighsTheDivergenceOfItsLatents() async throws {
        func firstLoss(_ weight: Double) async throws -> Double {
            let new = try Configurations()
            try NewModel(folder: new.path).write(seed: 1)
            return try await run(new) {
                $0.divergenceWeight = weight
                $0.optimization.epochs = 1
            }.0.steps[0]
        }
        let (without, little, much) = try await (firstLoss(0), firstLoss(0.01), firstLoss(0.02))
        #expect(little > without)
        #expect(abs((much - without) - 2 * (little - without)) < 1e-4 * much)
    }

    @Test func isTrainedAloneInItsTask() async throws {
        var settings = TrainingSettings()
        settings.task = .autoencoder
        settings.method.trained = [try TrainableModule("dit", option: "")]
        let error = #expect(throws: TrainingError.self) { try settings.check() }
        #expect(error.map { "\($0)".contains("--task vae trains the vae only") } == true)
    }
}
