import Flux2
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

        @Test func hashesOfTinyCheckpoints() throws {
            let golden = try #require(json("tiny_model_hashes") as? [String: String])
            #expect(golden.count >= 7)
            for (path, hash) in golden {
                let found = try Inspection.of(Reference.path("models/" + path))
                #expect(found.map(\.keyHash) == [hash], "\(path)")
            }
        }

        /// From the modules, which shows all names and shapes at once. The text encoder of dev is
        /// not compared: its file has a part for images, which nothing here declares.
        @Test func hashesOfPublishedCheckpoints() throws {
            let all = try #require(json("published_models") as? [String: Any])
            let golden = try #require(all["models"] as? [String: [String: Any]])
            var shapes: [String: TensorShapes] = [
                "FLUX.2-dev/transformer": PublishedTransformer.dev.shapes,
                "FLUX.2-klein-4B/transformer": PublishedTransformer.klein4B.shapes,
                "FLUX.2-klein-9B/transformer": PublishedTransformer.klein9B.shapes,
            ]
            shapes["FLUX.2-klein-4B/text_encoder"] = Self.qwen(width: 2560, hidden: 9728)
            shapes["FLUX.2-klein-9B/text_encoder"] = Self.qwen(width: 4096, hidden: 12288)
                .merging(["lm_head.weight": [151936, 4096]]) { $1 }
            shapes["vae"] = try Self.autoencoder()
                .merging(["bn.num_batches_tracked": []]) { $1 }
            #expect(Set(golden.keys) == Set(shapes.keys).union(["FLUX.2-dev/text_encoder"]))
            for (name, shapes) in shapes {
                #expect(
                    KeyHash.of(shapes) == golden[name]?["keys_and_shapes_md5"] as? String, "\(name)"
                )
            }
        }

        private static func shapes(_ build: (Scope) -> Void) -> TensorShapes {
            let scope = Scope()
            build(scope)
            return Dictionary(scope.parameters.map { ($0.key, $0.shape) }) { first, _ in first }
        }

        private static func qwen(width: Int, hidden: Int) -> TensorShapes {
            let layers = 36
            let own = shapes {
                _ = TextEncoder(
                    $0,
                    TextEncoderConfiguration(
                        family: .qwen3, width: width, feedForwardWidth: hidden,
                        layerCount: layers, headCount: 32, keyValueHeadCount: 8, headSize: 128,
                        vocabularySize: 151936, rotaryTheta: 1e6, epsilon: 1e-6),
                    taps: [layers])
            }
            return Dictionary(uniqueKeysWithValues: own.map { ("model." + $0.key, $0.value) })
        }

        private static func autoencoder() throws -> TensorShapes {
            let json = """
                {"block_out_channels": [128, 256, 512, 512], "latent_channels": 32,
                 "layers_per_block": 2, "norm_num_groups": 32}
                """
            let shape = try JSONDecoder().decode(
                AutoencoderConfiguration.self, from: Data(json.utf8))
            return shapes { _ = Autoencoder($0, shape) }
        }
    }
}
