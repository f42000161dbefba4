@testable import FluxTraining
import Flux2
import FluxModels
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Samples side by side") struct BatchTests {
    private func sample(_ rows: Int, guidance: Double? = nil) throws -> EncodedSample {
        let generator = try Generator(seed: UInt64(rows))
        var sample = EncodedSample(
            latents: try .randn([1, 128, rows, 2], generator: generator),
            text: try .randn([1, 8, 96], generator: generator))
        sample.extras.embeddedGuidance = guidance
        return sample
    }

    private func losses(_ groups: [[EncodedSample]]) throws -> [Double] {
        let files = TrainingFiles(try .init(model: Reference.ownModel("tiny-klein")))
        let part = try #require(TrainingParts(files, device: .cpu, dtype: .float32).transformer)
        let objective = try DiffusionLoss(TrainingSettings(), part.load(passes: .max))
        return try withoutGradients {
            try groups.map { group in
                try objective.loss(
                    group.map { sample in
                        let place = sample.latents.size(2)
                        return (
                            sample,
                            {
                                let sampler = try NoiseSampler(seed: 5)
                                try sampler.begin(epoch: 0, place: place)
                                return sampler
                            }
                        )
                    }
                ).item()
            }
        }
    }

    /// Headers may not tell that samples differ, so a batch looks at what it has.
    @Test func areComputedApartWhereTheyDiffer() throws {
        let all = [try sample(2), try sample(3), try sample(2, guidance: 2)]
        let alone = try losses(all.map { [$0] })
        let together = try losses([all])[0]
        let mean = alone.reduce(0, +) / 3
        #expect(abs(together - mean) < 1e-5 * mean, "\(together) for \(alone)")
    }

    @Test func anEncoderThatIsTooShallowIsRefused() throws {
        let folder = try TemporaryFolder()
        let encoder = folder.file("text_encoder")
        try FileManager.default.copyItem(
            atPath: Reference.ownModel("tiny-klein") + "/text_encoder", toPath: encoder)
        let url = URL(fileURLWithPath: encoder + "/config.json")
        var config = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        config["num_hidden_layers"] = 5
        try JSONSerialization.data(withJSONObject: config).write(to: url)
        var files = TrainingFiles()
        files.weights[.textEncoder] = [encoder]
        let error = #expect(throws: ModelError.self) {
            try TrainingParts(files, device: .cpu, dtype: .float32)
        }
        #expect(error.map { "\($0)".contains("has 5 layers, 27 are needed") } == true)
    }
}
