import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 assemble", .serialized)
    struct AssembleCommand {
        private let place: TrainingPlace
        private let model = Reference.ownModel("tiny-klein")
        private let lora = Reference.own + "/inputs/lora/diffsynth.safetensors"
        private let transformer = "transformer/diffusion_pytorch_model.safetensors"

        init() throws { place = try TrainingPlace(images: 1) }

        /// Weights that differ from the model's.
        private func trained(_ parts: String) throws -> (path: String, output: String) {
            let outcome = try place.train(
                ["--trainable_models", parts, "--learning_rate", "0.01", "--dtype", "bfloat16"],
                output: "trained")
            return (place.file("trained/epoch-0.safetensors"), outcome.output)
        }

        @discardableResult
        private func assemble(_ more: [String], sourceLocation: SourceLocation = #_sourceLocation)
            throws -> String
        {
            let outcome = try Program.run(
                ["assemble", model, "-o", place.file("model")] + more)
            #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
            return outcome.output
        }

        private func pixels(_ model: String, _ more: [String] = []) throws -> [UInt8] {
            let path = place.file("picture.png")
            let outcome = try Program.run(
                tinyArguments(model: model, output: path, ["--force", "--quiet"] + more))
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try Image(contentsOf: path).pixels
        }

        /// All files of a folder, with their bytes.
        private func files(_ folder: String) throws -> [String: Data] {
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
            return names.reduce(into: [:]) { all, name in
                let url = URL(fileURLWithPath: "\(folder)/\(name)")
                guard !url.hasDirectoryPath else { return }
                all[name] = try? Data(contentsOf: url)
            }
        }

        @Test func aTrainedTransformerGivesTheImageOfItsCheckpoint() throws {
            let checkpoint = try trained("dit").path
            let text = try assemble(["--checkpoint", checkpoint])
            #expect(text.contains("53 of 53 weights from \(checkpoint)\n"))
            #expect(text.contains("kB: from \(model)\n"))
            let found = try pixels(place.file("model"))
            #expect(try found == pixels(model, ["--transformer", checkpoint]))
            #expect(try found != pixels(model))
            // Only one file is another one.
            let (old, new) = try (files(model), files(place.file("model")))
            #expect(Set(old.keys) == Set(new.keys))
            #expect(old.keys.filter { old[$0] != new[$0] } == [transformer])
            #expect(
                try tensorShapes("\(model)/\(transformer)")
                    == tensorShapes(place.file("model/\(transformer)")))
        }

        @Test func otherComponentsOfOneCheckpointAreTakenToo() throws {
            let (checkpoint, said) = try trained("text_encoder,vae")
            #expect(said.contains("flux2 assemble \(model) --checkpoint \(checkpoint) -o FOLDER"))
            try assemble(["--checkpoint", checkpoint])
            let file = try SafetensorsFile(path: checkpoint)
            for (prefix, root, names) in [
                (
                    "pipe.text_encoder_qwen3.model.", "model.",
                    ["1-of-00002", "2-of-00002"].map { "text_encoder/model-0000\($0)" }
                ),
                ("pipe.vae.", "", ["vae/diffusion_pytorch_model"]),
            ] {
                let written = try names.map {
                    try SafetensorsFile(path: place.file("model/\($0).safetensors"))
                }
                for info in file.tensors where info.name.hasPrefix(prefix) {
                    let name = root + info.name.dropFirst(prefix.count)
                    let owner = try #require(written.first { $0[name] != nil }, "\(name)")
                    let own = try #require(owner[name])
                    #expect(owner.bytes(of: own).elementsEqual(file.bytes(of: info)), "\(name)")
                }
            }
            #expect(try pixels(place.file("model")) != pixels(model))
        }

        @Test func loRAsAreFoldedInAndTypesChange() throws {
            let text = try assemble(["--lora", lora + ":0.5"])
            #expect(text.contains("30 changed by \(lora)"))
            let merged = place.file("merged.safetensors")
            let outcome = try Program.run(
                ["lora", "merge", lora + ":0.5", "--into", model, "-o", merged])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(
                try pixels(place.file("model")) == pixels(model, ["--transformer", merged]))
            try assemble(["--dtype", "float32", "--force"])
            let shapes = try tensorShapes(place.file("model/" + transformer))
            #expect(shapes.values.allSatisfy { $0.hasPrefix("F32") })
            let index = try String(
                contentsOfFile: place.file("model/text_encoder/model.safetensors.index.json"),
                encoding: .utf8)
            #expect(index.contains("1329792"))
            #expect(try pixels(place.file("model")) == pixels(model))
        }

        @Test func whatIsSaidOfTheModelIsInItsIndex() throws {
            try assemble([
                "--notice", "draws foxes", "--distilled", "--index", "flux2.text_length=32",
                "--index", "licence=Apache 2.0",
            ])
            let outcome = try Program.run([
                "generate", "a fox", "--model", place.file("model"), "--height", "64", "--width",
                "64", "--output", place.file("a.png"),
            ])
            for words in ["draws foxes\n", "preset 'distilled': 4 steps", " of 32 tokens"] {
                #expect(outcome.errors.contains(words), "\(outcome.errors)")
            }
            let data = try Data(
                contentsOf: URL(fileURLWithPath: place.file("model/model_index.json")))
            let index = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
            #expect(index["licence"] as? String == "Apache 2.0")
            #expect(index["is_distilled"] as? Bool == true)
            #expect(index["_class_name"] as? String == "Flux2KleinPipeline")
        }

        @Test func refusesInOneLineAndLeavesNothing() throws {
            let (empty, foreign) = (place.file("0.safetensors"), place.file("1.safetensors"))
            try SafetensorsWriter.write(to: empty, tensors: [])
            try write(["proj_out.weight": [128, 64], "proj_in.weight": [2, 2]], to: foreign)
            let narrow = place.file("2.safetensors")
            try write(["pipe.vae.bn.running_mean": [3]], to: narrow)
            let before = place.contents("")
            for (arguments, words) in [
                ([], "nothing to change"),
                (["--checkpoint", empty], "\(empty): holds no weights"),
                (["--checkpoint", foreign], "the model has no place for 'proj_in.weight'"),
                (["--checkpoint", narrow], "has shape [3], the model needs [128]"),
                (["--checkpoint", lora], "is a LoRA"),
                (["--checkpoint", place.file("none")], "none: cannot open"),
                (["--lora", model + "/vae/diffusion_pytorch_model.safetensors"], "of a LoRA"),
                (["--index", "steps"], "KEY=VALUE"),
                (["--index", "flux2.text_length=long"], "'flux2.text_length': expected"),
                (["--dtype", "int8"], "int8"),
                (["--distilled", "-o", model + "/new"], "lies where the model is"),
                (["--distilled", "-o", place.data], "exists already"),
                (["--distilled", "-o", place.data, "--force"], "is no model's folder"),
                (["--distilled", "-o", place.file("no/model")], "no such file or folder"),
            ] {
                let outcome = try Program.run(
                    ["assemble", model, "-o", place.file("model")] + arguments)
                #expect(outcome.status != 0 && outcome.status < 128, "\(arguments)")
                #expect(outcome.errors.contains(words), "'\(words)' in: \(outcome.errors)")
                #expect(place.contents("") == before)
            }
        }

        private func write(_ shapes: [String: [Int]], to path: String) throws {
            try SafetensorsWriter.write(
                to: path,
                tensors: shapes.map { name, shape in
                    TensorToWrite(
                        name: name, type: .BF16, shape: shape,
                        bytes: [UInt8](repeating: 0, count: shape.reduce(2, *)))
                })
        }

        /// What a folder replaces is not lost while it is made of it, nor when the making fails.
        @Test func aFolderThatExistsIsReplacedAsAWhole() throws {
            try assemble(["--distilled"])
            let old = try files(place.file("model"))
            let checkpoint = place.file("model/0.safetensors")
            try write(["proj_out.weight": [128, 64]], to: checkpoint)
            for more in [["--distilled"], ["--checkpoint", checkpoint, "--force"]] {
                let outcome = try Program.run(
                    ["assemble", model, "-o", place.file("model")] + more)
                #expect(outcome.status == 1, "\(outcome.errors)")
            }
            try FileManager.default.removeItem(atPath: checkpoint)
            #expect(try files(place.file("model")) == old)
            try assemble(["--notice", "new", "--force"])
            let new = try files(place.file("model"))
            #expect(old.keys.filter { old[$0] != new[$0] } == ["model_index.json"])
            #expect(place.contents("").allSatisfy { !$0.hasPrefix(".") })
        }
    }
}
