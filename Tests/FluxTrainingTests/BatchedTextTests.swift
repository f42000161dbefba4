@testable import FluxTraining
import Flux2
import FluxModels
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@Suite("Captions side by side") struct BatchedTextTests {
    /// Padding stands behind the words of one family and before those of the other.
    @Test(arguments: ["tiny-klein", "tiny-dev"])
    func haveTheFeaturesOfEachByItself(_ model: String) throws {
        let encoder = try TinyModel(model).textEncoder()
        let texts: [(ids: [Int], real: [Bool])] = [3, 12, 20].map { words in
            let padding = Array(repeating: false, count: 20 - words)
            let real = Array(repeating: true, count: words)
            let isReal = model == "tiny-klein" ? real + padding : padding + real
            return ((0..<20).map { isReal[$0] ? ($0 * 7 + words) % 200 : 3 }, isReal)
        }
        let together = try encoder(batch: texts, dtype: .float32)
        for (number, text) in texts.enumerated() {
            let alone = try encoder(ids: text.ids, real: text.real, dtype: .float32)
            let mine = try together.slice(number..<number + 1, along: 0)
            let difference = try (mine - alone).abs().maximum().item()
            let size = try alone.abs().maximum().item()
            #expect(difference < 1e-5 * size, "\(number): \(difference) of \(size)")
        }
    }

    /// The gradients of a batch are the means of those of its samples.
    @Test func trainTheEncoderAsEachByItselfDoes() throws {
        let folder = try ImageFolder(count: 2)
        func gradient(_ numbers: [Int]) throws -> Tensor {
            let parts = try TrainingParts(folder.files(), device: .cpu, dtype: .float32)
            let weights = TrainableWeights(parts)
            try weights.train(TrainableModule("text_encoder.layers.3.mlp", option: ""))
            let encoder = SampleEncoder(parts, trained: [.textEncoder])
            let items = try numbers.map { number in
                TrainingItem(
                    row: number, image: try Image(contentsOf: "\(folder.path)/\(number).png"),
                    prompt: "picture \(number) of something")
            }
            try withGradients {
                let samples = try encoder(items)
                let text = try Tensor.concatenating(samples.map(\.text), along: 0)
                try text.square().mean().backward()
            }
            return try #require(try weights.parameters[0].tensor.gradient())
        }
        let mean = try (gradient([0]) + gradient([1])) * 0.5
        let difference = try (gradient([0, 1]) - mean).abs().maximum().item()
        #expect(try difference < 1e-4 * mean.abs().maximum().item())
        #expect(try mean.abs().maximum().item() > 0)
    }

    /// A trained encoder gives other features every time, images stay what they are.
    @Test func keepImagesAndNotFeaturesWhereTheEncoderIsTrained() throws {
        let folder = try ImageFolder(count: 1)
        let parts = try TrainingParts(folder.files(), device: .cpu, dtype: .float32)
        let weights = TrainableWeights(parts)
        try weights.train(TrainableModule("text_encoder", option: ""))
        let encoder = SampleEncoder(parts, trained: [.textEncoder], limit: 1 << 30)
        let item = TrainingItem(
            row: 0, image: try Image(contentsOf: "\(folder.path)/0.png"), prompt: "a picture")
        let before = try encoder(item)
        try withoutGradients {
            for parameter in weights.parameters { try parameter.tensor.scaleInPlace(by: 1.5) }
        }
        let after = try encoder(item)
        #expect(after.latents === before.latents)
        #expect(try !after.text.detached().isEqual(to: before.text.detached()))
    }
}
