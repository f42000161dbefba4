import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("Common options do the same in all commands", .serialized)
    struct CommonEffects {
        private let folder: TemporaryFolder
        private let model = Reference.ownModel("tiny-klein")
        private let lora = Reference.own + "/inputs/lora/diffsynth.safetensors"
        private let small = ["--height", "64", "--width", "64", "--steps", "1"]

        init() throws { folder = try TemporaryFolder() }

        private func bytes(_ path: String) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: path))
        }

        @discardableResult
        private func run(
            _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> Program.Outcome {
            let outcome = try Program.run(arguments)
            #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
            return outcome
        }

        /// The one object that a command prints with `--json`; with `--quiet` it says nothing else but
        /// warnings, which are in the object, too.
        private func object(
            _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> [String: Any] {
            let outcome = try run(arguments + ["--json", "-q"], sourceLocation: sourceLocation)
            let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
            let object = try #require(value as? [String: Any], sourceLocation: sourceLocation)
            let warnings = try #require(object["warnings"] as? [String])
            #expect(
                outcome.errors == warnings.map { "warning: \($0)\n" }.joined(),
                sourceLocation: sourceLocation)
            return object
        }

        // MARK: Files

        @Test func quantizeTakesOptionsForItsPositions() throws {
            let (a, b) = (folder.file("a.safetensors"), folder.file("b.safetensors"))
            let format = ["--format", "int8", "--force"]
            try run(["quantize", model, a] + format)
            let report = folder.file("report.json")
            let told = try object(["quantize", "-m", model, "-o", b, "--report", report] + format)
            #expect(try bytes(a) == bytes(b))
            #expect(told["output"] as? String == b)
            #expect((told["layers"] as? [Any])?.count == 30)
            let written = try JSONSerialization.jsonObject(with: bytes(report)) as? [String: Any]
            #expect(
                Set(told.keys) == Set(try #require(written).keys).union(["output", "warnings"]))
            #expect(try run(["quantize", model, "--output", b, "-q"] + format).output.isEmpty)
            let two = try Program.run(["quantize", model, a, "-o", b] + format)
            #expect(two.status == 64 && two.errors.contains("--output says '\(b)'; give one"))
            let none = try Program.run(["quantize", "-m", model] + format)
            #expect(
                none.status == 64 && none.errors.contains("Missing expected argument '<output>'"))
        }

        @Test func assembleTakesTheWordsForTypes() throws {
            let output = folder.file("model")
            let part = output + "/vae/diffusion_pytorch_model.safetensors"
            let told = try object(["assemble", "-m", model, "-o", output, "--dtype", "fp32"])
            #expect((told["parts"] as? [[String: Any]])?.count == 3)
            #expect(told["output"] as? String == output)
            let stored = model + "/vae/diffusion_pytorch_model.safetensors"
            #expect(try !SafetensorsFile(path: part).tensors.contains { $0.type == .BF16 })
            for word in ["as-stored", "asStored", "stored"] {
                try run(
                    ["assemble", model, "-o", output, "--dtype", word, "--distilled", "--force"])
                #expect(try bytes(part) == bytes(stored), "\(word)")
            }
            try run(["assemble", model, "-o", output, "--dtype", "float16", "--force", "-q"])
            #expect(try SafetensorsFile(path: part).tensors.contains { $0.type == .F16 })
            try run(tinyArguments(model: output, output: folder.file("a.png")))
        }

        /// What float16 does not hold is told, not written.
        @Test func assembleRefusesWhatBecomesInfinite() throws {
            let copy = try folder.model()
            let path = copy + "/transformer/diffusion_pytorch_model.safetensors"
            let file = try SafetensorsFile(path: path)
            try SafetensorsWriter.write(
                to: path,
                tensors: file.tensors.map { info in
                    let values = try Tensor.mapped(info, of: file).to(dtype: .float32)
                    let large = info.name == "proj_out.weight" ? try values * 1e9 + 1e9 : values
                    return TensorToWrite(
                        name: info.name, type: .F32, shape: info.shape,
                        bytes: try large.withBytes { Array($0) })
                })
            let output = folder.file("model")
            let outcome = try Program.run(
                ["assemble", copy, "-o", output, "--dtype", "float16"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("found larger ones in 'proj_out.weight'"))
            #expect(!FileManager.default.fileExists(atPath: output))
        }

        @Test func loraCommandsTellWhatTheyWrote() throws {
            let output = folder.file("a.safetensors")
            let convert = ["lora", "convert", lora, "-m", model, "-o", output, "--force"]
            let told = try object(convert + ["--to", "kohya"])
            #expect(told["dialect"] as? String == "kohya" && told["weights"] as? Int == 30)
            #expect(try run(convert + ["-q"]).output.isEmpty)
            let both = folder.file("b.safetensors")
            let merged = try object(["lora", "merge", lora, output, "-m", model, "-o", both])
            #expect(merged["output"] as? String == both)
            let checkpoint = folder.file("c.safetensors")
            let folded = try object(["lora", "merge", lora, "--into", model, "-o", checkpoint])
            #expect(folded["weights"] as? Int == 30 && folded["dialect"] == nil)
            let found = folder.file("d.safetensors")
            let rank = ["--rank", "2", "--force"]
            let extracted = try object(
                ["lora", "extract", "-m", model, checkpoint, "-o", found] + rank)
            #expect((extracted["left_out"] as? Double ?? 0) > 0 && extracted["worst"] is String)
            let first = try bytes(found)
            try run(["lora", "extract", model, checkpoint, "-o", found] + rank)
            #expect(try bytes(found) == first)
            #expect(try object(["lora", "inspect", lora, "-m", model])["matched"] as? Int == 30)
        }

        @Test func drawingsAreOutputs() throws {
            let (a, b) = (folder.file("a.svg"), folder.file("b.svg"))
            let plan = ["plan", "a fox", "-m", model] + small
            let quiet = try run(plan + ["--svg", a, "-q"])
            #expect(quiet.errors.isEmpty && !quiet.output.isEmpty)
            #expect(try object(plan + ["-o", b])["stages"] != nil)
            #expect(try bytes(a) == bytes(b))
            let c = folder.file("c.svg")
            let bench = try object(
                ["bench", "a fox", "-m", model, "--rounds", "1", "-o", c] + small)
            #expect(!bench.isEmpty && folder.contents.contains("c.svg"))
        }

        // MARK: Training

        private func images() throws -> String {
            let data = folder.file("data")
            try TrainingPlace.write(3, to: data)
            return data
        }

        @Test func trainInitAndNewHaveOutputs() throws {
            let (a, b) = (folder.file("a.yaml"), folder.file("b.yaml"))
            let data = try images()
            let first = try Program.run(["train", "init", model, data, "--output", a])
            #expect(first.status == 0, "\(first.errors)")
            let told = try Program.run(
                ["train", "init", "--model", model, data, "-o", b, "--json", "-q"])
            #expect(told.output.contains(#""samples":3"#) && told.output.contains(#""warnings":"#))
            // What is free changes from one moment to the next.
            let texts = try [a, b].map {
                try String(contentsOfFile: $0, encoding: .utf8).replacing($0, with: "x.yaml")
                    .replacing(/of [0-9.]+ GB free/, with: "")
            }
            #expect(texts[0] == texts[1])

            let (new, other) = (folder.file("new"), folder.file("other"))
            let values = try object(["train", "new", model, "-o", new])["values"]
            #expect((values as? [String: Int])?.count == 3)
            try run(["train", "new", "-m", model, "-o", other, "--seed", "0", "-q"])
            let vae = "/vae/diffusion_pytorch_model.safetensors"
            #expect(try bytes(new + vae) == bytes(other + vae))
            #expect(try bytes(new + vae) != bytes(model + vae))
            try run(tinyArguments(model: new, output: folder.file("a.png")))
            let again = try Program.run(["train", "new", model, "-o", new])
            #expect(again.status == 1 && again.errors.contains("exists already"))
            try run(["train", "new", model, "-o", new, "--force", "-q"])
            let lost = try Program.run(["train", "new", model, "-o", data, "--force"])
            #expect(lost.status == 64 && lost.errors.contains("is no model's folder"))
            #expect(folder.contents.contains("data"))
            let within = try Program.run(["train", "new", new, "-o", new + "/copy"])
            #expect(within.status == 64 && within.errors.contains("lie in one another"))
        }

        @Test func trainHasAnOutputAndAResult() throws {
            let data = try images()
            let common = [
                "train", "-m", model, "--dataset_base_path", data, "--dataset_metadata_path",
                data + "/metadata.csv", "--lora_base_model", "dit", "--lora_target_modules",
                #".*\.to_q"#, "--lora_rank", "2", "--seed", "1", "--threads", "1",
            ]
            let plan = try object(common + ["--dry-run", "-o", folder.file("none")])
            let warnings = plan["warnings"] as? [String]
            #expect(warnings?.first?.contains("klein without 'base'") == true)
            #expect(plan["samples"] as? Int == 3 && plan["steps"] as? Int == 3)
            #expect((plan["peak_bytes"] as? Int ?? 0) > 0 && plan["seconds_per_step"] is Double)
            #expect((plan["parts"] as? [Any])?.isEmpty == false)
            #expect(!folder.contents.contains("none"))
            // A file of options may use either name, and the command line wins over both.
            for (name, key) in [("a", "output"), ("b", "output_path")] {
                let file = folder.file(name + ".json")
                try #"{"\#(key)": "\#(folder.file("file-" + name))"}"#.write(
                    toFile: file, atomically: true, encoding: .utf8)
                let more = ["--config", file, "--stop_after", "1", "--no-keep-state"]
                let told = try object(common + more)
                let path = try #require(told["output"] as? String)
                #expect(path.hasPrefix(folder.file("file-" + name) + "/"))
                #expect(told["steps"] as? Int == 1)
                try run(common + more + ["-o", folder.file("line-" + name), "-q"])
                #expect(folder.contents.contains("line-" + name))
            }
            let arguments =
                try JSONSerialization.jsonObject(
                    with: bytes(folder.file("line-a/training_args.json"))) as? [String: Any]
            #expect(arguments?["output_path"] as? String == folder.file("line-a"))
        }

        // MARK: The machine

        @Test func whatTheMachineIsComesAsJSON() throws {
            let doctor = try object(["doctor"])
            #expect((doctor["self_tests"] as? [[String: Any]])?.count == 6)
            #expect(doctor["dtype_auto"] is String && doctor["memory"] is [String: Int])
            let words = try run(["doctor"]).output
            #expect(words.contains("\nengine      libtorch ") && words.contains("\ndtype auto  "))
            #expect(words.contains("self-test   passed: 8-bit floats\n"))
            #expect(try object(["version"])["version"] is String)
            #expect(try run(["version", "-q"]).output.hasPrefix("0."))
            let check = try object(["check-group", "--megabytes", "1", "--rounds", "1"])
            #expect(check["processes"] as? Int == 1)
            #expect((check["checks"] as? [[String: Any]])?.count == 7)
            let odd = try Program.run(["launch", "--processes", "1", "--json", "--", "doctor"])
            #expect(odd.status == 64 && odd.errors.contains("give it to the command after --"))
        }

        @Test(.slow)
        func ratesOfKernelsComeAsJSON() throws {
            let kernels = try object(["bench", "kernels", "--rounds", "1"])
            #expect((kernels["rates"] as? [Any])?.isEmpty == false)
        }

        @Test func inspectTakesAModel() throws {
            let first = try run(["inspect", model]).output
            #expect(try run(["inspect", "-m", model, "--quiet"]).output == first)
        }
    }
}
