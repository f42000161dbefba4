import FluxModels
import Foundation
import LoRA
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Modules have the reference's names")
    struct Loading {
        private func names(_ value: Any?) throws -> [String] { try #require(value as? [String]) }

        private func json(_ name: String) throws -> Any {
            let path = Reference.path("goldens/loading/\(name).json")
            return try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: path)))
        }

        /// Each is one whole matrix of the model, under the same name.
        private func expect(_ names: [String], in targets: AdapterTargets) {
            for name in names {
                #expect(
                    targets[name] == [AdapterTarget(key: name + ".weight", rows: .all)], "\(name)")
            }
        }

        @Test func targetsOfLoRAsInTheTinyModel() throws {
            let (_, parameters) = try TinyModel("tiny-klein").transformerWithParameters()
            let targets = AdapterTargets(
                Dictionary(parameters.map { ($0.key, $0.shape) }) { first, _ in first })
            let names = try names(json("lora_target_names_tiny"))
            #expect(!names.isEmpty)
            expect(names, in: targets)
            print("golden loading: 1 case, \(names.count) names compared")
        }

        @Test func targetsOfLoRAsInPublishedModels() throws {
            let all = try #require(json("published_models") as? [String: Any])
            let golden = try #require(all["automatic_lora_targets"] as? [String: [String: Any]])
            let models: [String: PublishedTransformer] = [
                "FLUX.2-dev": .dev, "FLUX.2-klein-4B": .klein4B, "FLUX.2-klein-9B": .klein9B,
            ]
            #expect(Set(golden.keys) == Set(models.keys))
            for (name, model) in models {
                let listed = try names(golden[name]?["names"])
                #expect(!listed.isEmpty)
                expect(listed, in: AdapterTargets(model.shapes))
            }
        }
    }
}
