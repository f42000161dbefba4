import Foundation
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    /// Whatever a training leaves can be put to use, or is refused before it.
    @Suite("What was trained is used", .serialized)
    struct TrainedAndUsed {
        private let place: TrainingPlace
        private let model = Reference.ownModel("tiny-klein")

        init() throws { place = try TrainingPlace(images: 1) }

        private func trained(_ more: [String], _ output: String = "out") throws -> String {
            try place.train(
                ["--dtype", "float32", "--learning_rate", "0.1", "--no-keep-state"] + more,
                output: output)
            return place.file(output + "/epoch-0.safetensors")
        }

        private func latents(_ more: [String] = [], model: String? = nil) throws -> Data {
            let path = place.file("latents.safetensors")
            let outcome = try Program.run(
                tinyArguments(
                    model: model ?? self.model, output: place.file("a.png"),
                    ["--force", "--quiet", "--dtype", "float32", "--save_latents", path] + more))
            #expect(outcome.status == 0, "\(outcome.errors)")
            let file = try SafetensorsFile(path: path)
            return Data(file.bytes(of: try #require(file["latents"])))
        }

        private func image(_ more: [String] = []) throws -> Data {
            _ = try latents(more)
            return try Data(contentsOf: URL(fileURLWithPath: place.file("a.png")))
        }

        private func assemble(_ more: [String]) throws -> Program.Outcome {
            try Program.run(
                ["assemble", model, "-o", place.file("model"), "--force"] + more)
        }

        /// Also with a scale, whose alpha is beside the matrices under their names.
        @Test func aLoRAOfTheTextEncoder() throws {
            let lora = try trained([
                "--lora_base_model", "text_encoder_qwen3", "--lora_target_modules",
                "q_proj, v_proj",
                "--lora_rank", "2", "--lora_alpha", "4",
            ])
            let plain = try latents()
            let hot = try latents(["--lora", lora])
            #expect(hot != plain)
            #expect(try latents(["--lora", lora + ":0"]) == plain)
            #expect(try latents(["--lora", lora + ":0.5"]) != hot)
            // On the negative prompt's side alone it changes what guidance leads away from.
            let guided = ["--cfg-scale", "2"]
            #expect(try latents(guided + ["--negative-lora", lora]) != latents(guided))
            #expect(try assemble(["--lora", lora]).status == 0)
            #expect(try latents(model: place.file("model")) != plain)
            let next = try trained(
                [
                    "--lora_base_model", "text_encoder_qwen3", "--lora_target_modules",
                    "q_proj,v_proj", "--lora_rank", "2", "--lora_alpha", "4", "--lora_checkpoint",
                    lora, "--learning_rate", "0",
                ], "next")
            try expectSameTensors(lora, next)
        }

        @Test func aLoRAOfTheAutoencoder() throws {
            let lora = try trained([
                "--lora_base_model", "vae", "--lora_target_modules", "to_q,to_v", "--lora_rank",
                "2",
            ])
            // Its encoder learned from images; what starts from one shows it.
            try TrainingPlace.image(3, width: 64, height: 64).write(to: place.file("in.png"))
            let start = ["--input-image", place.file("in.png"), "--denoising-strength", "0.5"]
            #expect(try latents(start + ["--lora", lora]) != latents(start))
            let outcome = try Program.run(
                tinyArguments(output: place.file("b.png"), ["--positive-lora", lora]))
            #expect(outcome.status != 0)
            #expect(
                outcome.errors.contains(
                    "on the conditional or unconditional pass alone is not supported"))
        }

        @Test func aLoRAWithWholeWeights() throws {
            let options = TrainingPlace.lora + ["--trainable_models", "text_encoder_qwen3"]
            let outcome = try place.train(
                options + ["--dtype", "float32", "--learning_rate", "0.01", "--no-keep-state"])
            let file = place.file("out/epoch-0.safetensors")
            #expect(
                outcome.output.contains("flux2 assemble \(model) --checkpoint \(file) -o FOLDER"))
            let report = try assemble(["--checkpoint", file])
            #expect(report.status == 0, "\(report.errors)")
            let lines = report.output.split(separator: "\n")
            #expect(
                lines.contains { $0.hasPrefix("transformer") && $0.contains("changed by \(file)") })
            #expect(
                lines.contains {
                    $0.hasPrefix("text_encoder") && $0.contains("weights from \(file)")
                })
            let once = try latents(model: place.file("model"))
            #expect(try once != latents())
            // Named as a LoRA as well, it is not folded in twice.
            #expect(try assemble(["--checkpoint", file, "--lora", file]).status == 0)
            #expect(try latents(model: place.file("model")) == once)
            for refused in [
                try assemble(["--lora", file]),
                try Program.run(tinyArguments(output: place.file("b.png"), ["--lora", file])),
            ] {
                #expect(refused.status != 0)
                #expect(refused.errors.contains("whole weights, such as 'pipe.text_encoder_qwen3."))
            }
            // Training goes on from both of its parts, or says that one would be lost.
            let still = options + ["--learning_rate", "0", "--resume_from_checkpoint", file]
            let half = try place.run(still + ["--dtype", "float32"], output: "half")
            #expect(half.errors.contains("give it to --lora_checkpoint, too"))
            let next = try place.train(
                still + ["--lora_checkpoint", file, "--dtype", "float32"], output: "next")
            #expect(!next.errors.contains("no effect"))
            try expectSameTensors(file, place.file("next/epoch-0.safetensors"))
        }

        @Test func aPresetOfWhichBlocksDoNotFitIsRefused() throws {
            let whole = try SafetensorsFile(path: trained(TrainingPlace.lora))
            let preset = place.file("foreign.safetensors")
            let tensors = whole.tensors.map { tensor in
                TensorToWrite(
                    name: tensor.name.replacing(
                        "single_transformer_blocks.0.", with: "single_transformer_blocks.9."),
                    type: tensor.type,
                    shape: tensor.shape
                ) { try $0(whole.bytes(of: tensor)) }
            }
            try SafetensorsWriter.write(to: preset, tensors: tensors)
            let options =
                TrainingPlace.lora + ["--preset_lora_path", preset, "--preset_lora_model", "dit"]
            let refused = try place.run(options, output: "next")
            #expect(refused.status != 0)
            #expect(refused.errors.contains(preset) && refused.errors.contains("--partial-lora"))
            let taken = try place.train(options + ["--partial_lora"], output: "next")
            #expect(taken.errors.contains("have no effect"), "\(taken.errors)")
        }

        /// Where it was trained is nobody's business.
        @Test func itsHeaderNamesNoPlace() throws {
            let lora = try trained(TrainingPlace.lora)
            let notes = try SafetensorsFile(path: lora).metadata
            #expect(notes["flux2.base_model"] == "tiny-klein")
            #expect(!notes.values.contains { $0.contains("/") })
        }
    }
}
