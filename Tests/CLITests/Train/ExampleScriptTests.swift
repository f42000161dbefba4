import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Example scripts for training", .serialized)
    struct ExampleScripts {
        private static let folder = URL(fileURLWithPath: Reference.own)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Examples/Training").path
        private static let dataSet = "DiffSynth-Studio/diffsynth_example_dataset"
        private static let data = "data/diffsynth_example_dataset/"
        private static let editFolder = "qwen_image/Qwen-Image-Edit-2511"

        private static let scripts: [String] = {
            let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return files.filter { $0.hasSuffix(".sh") }.sorted()
        }()

        @Test func areThereForEveryModelAndMethodAndForEditing() {
            var expected = ["dev-lora.sh", "klein-base-4b-lora-split.sh"]
            for model in ["klein-4b", "klein-9b", "klein-base-4b", "klein-base-9b"] {
                for method in ["full", "lora"] {
                    expected += ["\(model)-\(method).sh", "\(model)-\(method)-edit.sh"]
                }
            }
            #expect(Self.scripts == expected.sorted())
        }

        @Test(arguments: scripts)
        func fetchTheirDataAndGiveThePublishedArguments(_ script: String) throws {
            let commands = try Self.recorded(script)
            let published = try PublishedCommands.commands(Self.publishedName(script))
            try #require(commands.count == published.count + 1)
            let isEdit = script.contains("edit")
            let model = try #require(Self.publishedName(script).firstMatch(of: /FLUX\.2[^._]*/))
            let rows = isEdit ? Self.editFolder : "flux2/\(model.output)"
            #expect(
                commands[0] == [
                    "download", "--dataset", Self.dataSet, "--include", rows + "/*", "--local-dir",
                    String(Self.data.dropLast()),
                ])
            for (index, (found, original)) in zip(commands.dropFirst(), published).enumerated() {
                var expected = Self.options(original)
                if index == 0 {
                    expected["--dataset_base_path"] = Self.data + rows
                    expected["--dataset_metadata_path"] =
                        Self.data + rows + (isEdit ? "/metadata.json" : "/metadata.csv")
                }
                if isEdit {
                    expected["--data_file_keys"] = "image,edit_image"
                    expected["--extra_inputs"] = "edit_image"
                    expected["--output_path"]? += "_edit"
                }
                let isSpread = found.first == "launch"
                if isSpread { expected["--zero"] = "2" }
                #expect(isSpread == (script.contains("9b") && script.contains("full")))
                let start = try #require(found.firstIndex(of: "train"))
                #expect(Self.options(Array(found[(start + 1)...])) == expected)
            }
        }

        /// From a hub on this machine, with two images in place of what is published.
        @Test func trainOnTheEditsThatTheyFetch() throws {
            let script = "klein-4b-lora-edit.sh"
            let (hub, place) = try (LocalHub(), TemporaryFolder())
            try addEdits(to: hub)
            try PublishedCommands.linkModels(in: place.file("models/black-forest-labs"))
            let options = [
                "--stop_after", "2", "--dataset_repeat", "1", "--seed", "1", "--threads", "1",
                "--max_pixels", "4096", "--dtype", "float32",
            ]
            let outcome = try Program.run(
                script: Self.folder + "/" + script, options,
                environment: hub.environment(in: place.path).merging(["HF_HUB_OFFLINE": "0"]) {
                    $1
                },
                in: place.path)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(hub.requests.contains { $0.path.contains("Qwen-Image-Edit-2511") })
            let training = place.file("models/train")
            let output = try #require(
                FileManager.default.contentsOfDirectory(atPath: training).first)
            #expect(output.hasSuffix("_edit"))
            let names = try tensorShapes("\(training)/\(output)/step-2.safetensors").keys
            #expect(names.contains("single_transformer_blocks.0.attn.to_out.lora_A.default.weight"))
        }

        private func addEdits(to hub: LocalHub) throws {
            var files: [String: Data] = [:]
            for number in 0..<3 {
                let image = TrainingPlace.image(number, width: 64, height: 48)
                files["\(Self.editFolder)/\(number).png"] = Data(try image.encoded(as: .png))
            }
            let rows = """
                [{"image": "0.png", "edit_image": "1.png", "prompt": "darker"},
                 {"image": "1.png", "edit_image": ["0.png", "2.png"], "prompt": "both"}]
                """
            files[Self.editFolder + "/metadata.json"] = Data(rows.utf8)
            try hub.add(Self.dataSet, files, dataset: true)
        }

        // MARK: What a script does

        /// The published script that one of ours is, but for its data.
        private static func publishedName(_ script: String) throws -> String {
            if script.contains("split") {
                return "special/split_training/FLUX.2-klein-base-4B_lora.sh"
            }
            let parts = try #require(script.firstMatch(of: /^(.*)-(full|lora)/))
            let model = parts.1.replacing("4b", with: "4B").replacing("9b", with: "9B")
            return "\(parts.2)/FLUX.2-\(model).sh"
        }

        /// The arguments of each command of a script, none of which is run.
        private static func recorded(_ script: String) throws -> [[String]] {
            let place = try TemporaryFolder()
            let (recorder, record) = (place.file("flux2"), place.file("record"))
            let text = """
                #!/bin/sh
                for argument in "$@"; do printf '%s\\t' "$argument"; done >> "$RECORD"
                echo >> "$RECORD"
                """
            try text.write(toFile: recorder, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: recorder)
            let outcome = try Program.run(
                script: folder + "/" + script, [],
                environment: ["FLUX2": recorder, "RECORD": record], in: place.path)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try String(contentsOfFile: record, encoding: .utf8).split(separator: "\n")
                .map { $0.split(separator: "\t").map(String.init) }
        }

        /// Options with their values; "" for those that have none.
        private static func options(_ command: [String]) -> [String: String] {
            var result: [String: String] = [:]
            for (index, option) in command.enumerated() where option.hasPrefix("--") {
                let next = command.dropFirst(index + 1).first ?? "--"
                result[option] = next.hasPrefix("--") ? "" : next
            }
            return result
        }
    }
}
