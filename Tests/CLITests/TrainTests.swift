import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("flux2 train does what DiffSynth-Studio's trainer does", .serialized)
    struct Training {
        /// One image with a caption, as the goldens train on it.
        private static func dataset(_ golden: Golden, in folder: TemporaryFolder) throws -> String {
            let prompt = try #require(golden.string("prompt"))
            let image = Reference.path(try #require(golden.string("image")))
            let row = try JSONSerialization.data(
                withJSONObject: [["image": image, "prompt": prompt]])
            let path = folder.file("metadata.json")
            try row.write(to: URL(fileURLWithPath: path))
            return path
        }

        private static func models(_ golden: Golden) throws -> String {
            let tiny = Reference.path("models/tiny-klein")
            let isSmall = golden.string("model")?.contains("tiny-klein-f32") == true
            let transformer =
                isSmall
                ? Reference.path("models/tiny-klein-f32/transformer") : tiny + "/transformer"
            return "[\"\(tiny)/text_encoder\", \"\(transformer)\", \"\(tiny)/vae\"]"
        }

        /// Trains three steps as a golden was made, with PyTorch's random numbers.
        private static func train(_ golden: Golden, in folder: TemporaryFolder) throws {
            var arguments = try [
                "train", "--dataset_base_path", "/", "--dataset_metadata_path",
                dataset(golden, in: folder), "--model_paths", models(golden),
                "--dataset_repeat", "3", "--height", "\(#require(golden.integer("height")))",
                "--width", "\(#require(golden.integer("width")))", "--learning_rate",
                "\(#require(golden.number("learning_rate")))", "--output_path", folder.file("out"),
                "--draws", "torch", "--seed", "\(ReferenceTraining.seed(plus: 1))", "--dtype",
                golden.dtype == .bfloat16 ? "bfloat16" : "float32", "--enable_csv_log",
                // AdamW's first steps take a gradient's sign, whatever rounding made it.
                "--kernels", "reference",
            ]
            if let lora = golden.string("lora") {
                let rank = try ReferenceTraining.rank(of: Reference.path(lora))
                arguments += [
                    "--lora_base_model", "dit", "--lora_rank", "\(rank)", "--save_steps", "2",
                    "--lora_target_modules", Self.targets, "--lora_checkpoint",
                    Reference.path(lora), "--use_gradient_checkpointing",
                ]
            } else {
                arguments += ["--trainable_models", "dit"]
            }
            let outcome = try Program.run(arguments, environment: ["OMP_NUM_THREADS": "1"])
            #expect(outcome.status == 0, "\(outcome.errors)")
        }

        static let targets =
            "to_q,to_k,to_v,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out,linear_in,linear_out,"
            + "to_qkv_mlp_proj,"
            + (0..<3).map { "single_transformer_blocks.\($0).attn.to_out" }.joined(separator: ",")

        @Test(arguments: ["adamw_full_f32", "adamw_full_bf16", "adamw_lora_f32", "adamw_lora_bf16"])
        func threeStepsGiveTheReferencesWeights(_ name: String) throws {
            let golden = try Golden("training", name)
            let folder = try TemporaryFolder()
            try Self.train(golden, in: folder)
            let isLoRA = golden.string("lora") != nil
            let file = isLoRA ? "step-3" : "epoch-0"
            let saved = try SafetensorsFile(path: folder.file("out/\(file).safetensors"))
            let contents = try Golden("training", "checkpoint_contents")
            let keys =
                (contents.json[isLoRA ? "lora_bf16" : "full_bf16"] as? [String: Any])?["keys"]
                as? [String: Any]
            #expect(Set(saved.tensors.map(\.name)) == Set(try #require(keys).keys))
            for key in golden.outputs where key.hasPrefix("param.") {
                let info = try #require(saved[String(key.dropFirst("param.".count))])
                #expect(ElementType(golden.dtype) == info.type)
                try golden.expect(Tensor.mapped(info, of: saved), key)
            }
            let text = try String(contentsOfFile: folder.file("out/loss.csv"), encoding: .utf8)
            let losses = text.split(separator: "\n").dropFirst().compactMap {
                Float(String($0.split(separator: ",")[2]))
            }
            try golden.expect(.from(losses), "losses")
        }
    }
}
