import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("DiffSynth-Studio's published training commands", .serialized)
    struct PublishedCommands {
        private struct Command: Decodable {
            var launcher: [String]
            var arguments: [String]
        }

        private static func published(_ name: String) throws -> [Command] {
            let data = try Data(
                contentsOf: URL(
                    fileURLWithPath: Reference.own + "/recipes/diffsynth-flux2-train-arguments.json"
                ))
            let all = try JSONDecoder().decode([String: [Command]].self, from: data)
            return try #require(all[name], "\(name)")
        }

        static func commands(_ name: String) throws -> [[String]] {
            try published(name).map(\.arguments)
        }

        @Test(arguments: [
            "full/FLUX.2-klein-4B.sh", "full/FLUX.2-klein-9B.sh", "full/FLUX.2-klein-base-4B.sh",
            "full/FLUX.2-klein-base-9B.sh", "lora/FLUX.2-klein-4B.sh", "lora/FLUX.2-klein-9B.sh",
            "lora/FLUX.2-klein-base-4B.sh", "lora/FLUX.2-klein-base-9B.sh",
        ])
        func runsAsItIs(_ name: String) throws { try check(name) }

        @Test(arguments: [
            "lora/FLUX.2-dev.sh", "special/split_training/FLUX.2-klein-base-4B_lora.sh",
        ])
        func runsInTwoStagesAsItIs(_ name: String) throws {
            let commands = try Self.commands(name)
            #expect(commands.count == 2)
            try check(name)
        }

        /// With what stands between `accelerate launch` and the trainer, for 2 processes instead of 8.
        @Test(.enabled(if: ProcessGroup.isAvailable))
        func isLaunchedAsItIs() throws {
            let name = "full/FLUX.2-klein-9B.sh"
            let command = try #require(Self.published(name).first)
            let place = try Place([command.arguments])
            let configuration = place.path(Self.value("--config_file", command.launcher))
            try FileManager.default.createDirectory(
                atPath: (configuration as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            let file = """
                deepspeed_config:
                  zero_stage: 2
                distributed_type: DEEPSPEED
                num_machines: 1
                num_processes: 2

                """
            try file.write(toFile: configuration, atomically: true, encoding: .utf8)
            let outcome = try place.run(
                command.arguments, after: ["launch"] + command.launcher + ["--"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("on each of 2 processes"))
            let folder = place.path(Self.value("--output_path", command.arguments))
            try expectContents(
                of: folder + "/step-2.safetensors", command.arguments, isDev: false)
        }

        @Test func whatBelongsToAnotherTrainerIsRefused() throws {
            let command = try Self.commands("special/dmd2/FLUX.2-klein-base-4B-DMD2.sh")[0]
            let outcome = try Program.run(["train"] + command)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains("--dmd2"))
        }

        // MARK: Runs

        private func check(_ name: String) throws {
            let place = try Place(Self.commands(name))
            for command in place.commands {
                let outcome = try place.run(command)
                #expect(outcome.status == 0, "\(name): \(outcome.errors)")
            }
            let last = try #require(place.commands.last)
            let checkpoint = place.path(Self.value("--output_path", last)) + "/step-2.safetensors"
            try expectArguments(place, last)
            try expectContents(of: checkpoint, last, isDev: place.isDev)
            try expectEffect(of: checkpoint, place, last)
        }

        static func value(_ option: String, _ command: [String]) -> String {
            command.firstIndex(of: option).map { command[$0 + 1] } ?? ""
        }

        /// What was asked for is kept beside the checkpoints, under the reference's names.
        private func expectArguments(_ place: Place, _ command: [String]) throws {
            let folder = place.path(Self.value("--output_path", command))
            let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/training_args.json"))
            let kept = try JSONDecoder().decode([String: Kept].self, from: data)
            let options = command.indices.filter { command[$0].hasPrefix("--") }
            #expect(options.count > 10)
            for index in options {
                let found = kept[String(command[index].dropFirst(2))]
                let next = command.dropFirst(index + 1).first
                let value = next.flatMap { $0.hasPrefix("--") ? nil : $0 }
                #expect(found == Kept(argument: value), "\(command[index]) \(value ?? "")")
            }
        }

        /// A value of JSON, of which a number is no flag.
        private enum Kept: Decodable, Equatable {
            case flag, number(Double), text(String), other

            init(argument: String?) {
                self = argument.map { Double($0).map(Kept.number) ?? .text($0) } ?? .flag
            }

            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                if let isSet = try? value.decode(Bool.self) {
                    self = isSet ? .flag : .other
                } else if let number = try? value.decode(Double.self) {
                    self = .number(number)
                } else {
                    self = (try? value.decode(String.self)).map(Kept.text) ?? .other
                }
            }
        }

        /// Names, types and shapes as the reference writes them; the golden of whole weights has the
        /// first block of each kind.
        private func expectContents(
            of path: String, _ command: [String], isDev: Bool
        ) throws {
            let found = try tensorShapes(path)
            let rank = Int(Self.value("--lora_rank", command))
            let golden = try Golden("training", "checkpoint_contents")
            let contents = try #require(
                golden.json[rank == nil ? "full_bf16" : "lora_bf16"] as? [String: Any])
            let keys = try #require(contents["keys"] as? [String: [Any]])
            if let rank {
                #expect(isDev || Set(found.keys) == Set(keys.keys))
                #expect(try found == Self.adapters(command, rank: rank, isDev: isDev))
                return
            }
            let inFirstBlocks = found.filter { !$0.key.contains(/blocks\.[1-9]/) }
            #expect(Set(inFirstBlocks.keys) == Set(keys.keys))
            for (key, form) in keys {
                #expect(found[key] == "BF16 \(form[1] as? [Int] ?? [])", "\(key)")
            }
        }

        /// What belongs to the targets of a command, from the weights of the model that it is run on.
        private static func adapters(
            _ command: [String], rank: Int, isDev: Bool
        ) throws -> [String: String] {
            let targets = value("--lora_target_modules", command).split(separator: ",")
            let model = Reference.ownModel(isDev ? "tiny-dev" : "tiny-klein") + "/transformer/"
            var adapters: [String: String] = [:]
            for file in try FileManager.default.contentsOfDirectory(atPath: model)
            where file.hasSuffix(".safetensors") {
                for tensor in try SafetensorsFile(path: model + file).tensors {
                    let module = tensor.name.dropLast(".weight".count)
                    guard targets.contains(where: { module == $0 || module.hasSuffix("." + $0) })
                    else { continue }
                    let (out, inputs) = (tensor.shape[0], tensor.shape[1])
                    adapters[module + ".lora_A.default.weight"] = "BF16 \([rank, inputs])"
                    adapters[module + ".lora_B.default.weight"] = "BF16 \([out, rank])"
                }
            }
            return adapters
        }

        /// The checkpoint loads, and the image is another one with it.
        private func expectEffect(
            of checkpoint: String, _ place: Place, _ command: [String]
        ) throws {
            let isLoRA = command.contains("--lora_base_model")
            let use = [isLoRA ? "--lora" : "--transformer", checkpoint]
            let plain = place.isDev ? Self.plainDev : Self.plainKlein
            #expect(try #require(plain) != place.latents(use))
        }

        /// What an image is decoded from without anything that was trained.
        private static let plainKlein = try? Place.latents([], isDev: false)
        private static let plainDev = try? Place.latents([], isDev: true)

        /// Puts a tiny model where each published one is looked for.
        static func linkModels(in owner: String) throws {
            try FileManager.default.createDirectory(
                atPath: owner, withIntermediateDirectories: true)
            for (name, model) in [
                ("klein-4B", "tiny-klein"), ("klein-base-4B", "tiny-klein"),
                ("klein-9B", "tiny-klein"), ("klein-base-9B", "tiny-klein"),
                ("dev", "tiny-dev"),
            ] {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(owner)/FLUX.2-\(name)",
                    withDestinationPath: Reference.ownModel(model))
            }
        }

        /// A folder with models and data where the commands look for them.
        private final class Place {
            let folder: TemporaryFolder
            let commands: [[String]]

            init(_ commands: [[String]]) throws {
                self.commands = commands
                folder = try TemporaryFolder()
                try PublishedCommands.linkModels(in: path("root/black-forest-labs"))
                try TrainingPlace.write(
                    2, to: path(PublishedCommands.value("--dataset_base_path", commands[0])))
            }

            func path(_ relative: String) -> String { folder.file(relative) }

            /// The command as it was published, but for its length.
            func run(
                _ command: [String], after launch: [String] = []
            ) throws -> Program.Outcome {
                try Program.run(
                    launch + ["train"] + command + [
                        "--stop_after", "2", "--seed", "1", "--threads", "1", "--dtype", "bfloat16",
                    ],
                    environment: [
                        "DIFFSYNTH_MODEL_BASE_PATH": path("root"),
                        "DIFFSYNTH_SKIP_DOWNLOAD": "true",
                    ], in: folder.path)
            }

            var isDev: Bool {
                PublishedCommands.value("--model_id_with_origin_paths", commands[0])
                    .contains("FLUX.2-dev:")
            }

            func latents(_ options: [String]) throws -> Data {
                try Self.latents(options, isDev: isDev)
            }

            /// What an image is decoded from, with more options.
            static func latents(_ options: [String], isDev: Bool) throws -> Data {
                let folder = try TemporaryFolder()
                let outcome = try Program.run(
                    tinyArguments(
                        "a dog", model: Reference.ownModel(isDev ? "tiny-dev" : "tiny-klein"),
                        output: folder.file("a.png"),
                        [
                            "--dtype", "float32", "--threads", "1", "--save_latents",
                            folder.file("a.safetensors"),
                        ] + options))
                #expect(outcome.status == 0, "\(outcome.errors)")
                let file = try SafetensorsFile(path: folder.file("a.safetensors"))
                return Data(file.bytes(of: try #require(file["latents"])))
            }
        }
    }
}
