import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 train refuses in one line", .serialized)
    struct TrainRefusals {
        private let place: TrainingPlace

        init() throws { place = try TrainingPlace(images: 2) }

        /// Runs what must fail: one line that holds `words`, and nothing that was trained.
        private func expectRefusal(
            _ more: [String], saying words: String..., method: [String] = TrainingPlace.lora,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let outcome = try place.run(method + more)
            let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
            #expect(
                outcome.status != 0 && outcome.status < 128, "status \(outcome.status)",
                sourceLocation: sourceLocation)
            #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: sourceLocation)
            for word in words {
                #expect(
                    lines.first?.contains(word) == true, "'\(word)' in: \(outcome.errors)",
                    sourceLocation: sourceLocation)
            }
            let files = place.contents("out").filter { $0.hasSuffix(".safetensors") }
            #expect(files.isEmpty, sourceLocation: sourceLocation)
        }

        private func write(_ rows: String, _ name: String = "metadata.csv") throws {
            try rows.write(
                toFile: place.data + "/" + name, atomically: true, encoding: .utf8)
        }

        // MARK: Options

        @Test(arguments: [
            (["--enable_wandb_log"], "wandb sync"), (["--enable_swanlab_log"], "swanlab convert"),
            (["--template_model_id_or_path", "a"], "template models"),
            (["--enable_lora_hot_loading"], "template models"),
            (["--cpu_offload_split_threshold", "10"], "units of blocks"),
        ])
        func optionsThatCannotBeHonored(_ options: [String], _ words: String) throws {
            try expectRefusal(options, saying: options[0], words)
        }

        @Test func optionsThatNeedNothingAreAccepted() throws {
            let outcome = try place.train(
                TrainingPlace.lora + [
                    "--find_unused_parameters", "--initialize_model_on_cpu",
                    "--enable_model_cpu_offload", "--enable_optimizer_cpu_offload",
                    "--wandb_project", "a", "--swanlab_project", "b", "--stop_after", "1",
                ])
            for option in ["find_unused_parameters", "initialize_model_on_cpu"] {
                #expect(outcome.errors.contains("--\(option): "))
            }
        }

        @Test func anUnknownOptimizerListsTheKnownOnes() throws {
            for option in ["--optimizer", "--customized_optimizer"] {
                try expectRefusal(
                    [option, "lion.Lion"], saying: "lion.Lion", "adamw", "adafactor",
                    "torch.optim.AdamW")
            }
        }

        @Test(arguments: [
            (["--task", "sft:encode"], "sft:encode"), (["--num_epochs", "0"], "--num_epochs"),
            (["--learning_rate=-1"], "--learning_rate"), (["--lora_rank", "0"], "--lora_rank"),
            (["--dataset_repeat", "0"], "--dataset_repeat"),
            (["--max_grad_norm", "-1"], "--max_grad_norm"), (["--threads", "0"], "--threads"),
            (["--learning_rate", "1e39"], "--learning_rate"),
            (["--text_length", "-1"], "--text_length"),
            (["--sample_inference_steps", "0"], "--sample_inference_steps"),
            (["--save_steps", "0"], "--save_steps"),
            (["--gradient_accumulation_steps", "0"], "--gradient_accumulation_steps"),
            (["--stop_after", "soon"], "--stop_after"), (["--ema_decay", "1"], "--ema_decay"),
            (["--master_weights", "fp16"], "--master_weights"), (["--zero", "3"], "--zero"),
            (["--lr_scheduler", "step"], "--lr_scheduler"),
            (["--height", "40", "--width", "48"], "40"),
            (["--extra_inputs", "controlnet_image"], "controlnet_image"),
            (["--validation_split", "2"], "--validation_split"),
            (["--validation_steps", "2"], "--validation_split"),
            (["--draws", "torch", "--batch_size", "2"], "--draws"),
            (["--preset_lora_path", "a.safetensors"], "--preset_lora_model"),
            (
                ["--preset_lora_path", "a.safetensors", "--preset_lora_model", "dit"],
                "a.safetensors"
            ),
            (["--fp8_models", "no-such"], "'no-such'"),
            (["--quant_options", "no-such:int8"], "'no-such'"),
            (["--quant_options", "a:nf4"], "int8"), (["--offload_models", "no-such"], "'no-such'"),
            (["--model_paths", "a.safetensors"], "--model_paths"),
            (["--lora_target_modules", "to_q,to_out"], "to_out"),
            (["--lora_target_modules", "q,k,v,o,ffn.0,ffn.2"], "names such as add_k_proj,"),
            (["--preset_lora_path", "a", "--preset_lora_model", "dit.proj_out"], "dit.proj_out"),
            (
                ["--export", "diffusers", "--trainable_models", "text_encoder"],
                "--trainable_models"
            ),
            (["--export", "peft", "--lora_base_model", "text_encoder"], "--export peft"),
        ])
        func settingsThatAreOutOfRange(_ options: [String], _ words: String) throws {
            try expectRefusal(options, saying: words)
        }

        @Test func whatIsNoComponent() throws {
            try expectRefusal(
                [], saying: "--trainable_models", "'unet'", method: ["--trainable_models", "unet"])
            try expectRefusal(
                [], saying: "--trainable_models", "blocks.9",
                method: ["--trainable_models", "dit.transformer_blocks.9"])
            try expectRefusal(
                [], saying: "--lora_base_model", "'unet'", method: ["--lora_base_model", "unet"])
            try expectRefusal([], saying: "nothing is trained", method: [])
        }

        @Test(arguments: ["sft:data_process", "sft:train", "direct_distill:train"])
        func componentsWhoseWorkIsStored(_ task: String) throws {
            for component in ["text_encoder", "vae"] {
                try expectRefusal(
                    ["--task", task], saying: "--task \(task): the \(component)",
                    method: ["--trainable_models", "dit,\(component)"])
            }
        }

        // MARK: Data

        @Test func metadataThatIsNotThere() throws {
            try expectRefusal(
                ["--dataset_metadata_path", "/no/such.csv"], saying: "/no/such.csv", "not there")
        }

        @Test func rowsThatLackSomething() throws {
            try write("image,prompt\n0.png,a fox\n1.png\n")
            try expectRefusal([], saying: "metadata.csv, row 2: has no 'prompt'")
            try write("picture,prompt\n0.png,a fox\n")
            try expectRefusal([], saying: "metadata.csv, row 1: has no 'image'")
            try write("image,prompt\n")
            try expectRefusal([], saying: "metadata.csv: nothing to train on")
            try write("image,prompt\n0.png,a fox\n")
            try expectRefusal(["--extra_inputs", "seed"], saying: "row 1: has no 'seed'")
        }

        @Test func imagesThatCannotBeUsed() throws {
            try write("image,prompt\n0.png,a fox\n9.png,a dog\n")
            try expectRefusal([], saying: "9.png", "not there")
            try TrainingPlace.image(1, width: 15, height: 400).write(to: place.data + "/9.png")
            try expectRefusal(
                ["--dataset_repeat", "3"], saying: "9.png", "15x400", method: TrainingPlace.full)
            try Data([137, 80, 78, 71, 1, 2, 3]).write(
                to: URL(fileURLWithPath: place.data + "/9.png"))
            try expectRefusal(["--task", "sft:data_process"], saying: "row 2", "9.png")
        }

        @Test func unreadableImagesCanBeLeftOut() throws {
            try write("image,prompt\n0.png,a\n8.png,b\n9.png,c\n1.png,d\n")
            try Data([137, 80]).write(to: URL(fileURLWithPath: place.data + "/9.png"))
            let outcome = try place.train(
                TrainingPlace.lora + ["--skip-unreadable", "--enable_csv_log"])
            #expect(outcome.errors.contains("warning: 2 of 4 samples are left out"))
            #expect(outcome.errors.contains("8.png") && outcome.errors.contains("9.png"))
            #expect(try place.losses().count == 2)
        }

        @Test func aDataSetWithNothingReadable() throws {
            try write("image,prompt\n8.png,b\n9.png,c\n")
            try expectRefusal(["--skip-unreadable"], saying: "no sample can be read")
        }

        /// Also where captions are too many to be kept.
        @Test func aCaptionThatIsTooLongIsTold1Time() throws {
            let long = String(repeating: "fox ", count: 80)
            let rows = (0..<70).map { "0.png,\(long)\($0)\n" }.joined()
            try write("image,prompt\n1.png,a fox\n" + rows + "0.png,\(long)0\n")
            let outcome = try place.train([
                "--task", "sft:data_process", "--keep_encoded", "0", "--dataset_repeat", "2",
                "--width", "16", "--height", "16",
            ])
            let warnings = outcome.errors.split(separator: "\n").filter { $0.contains("tokens") }
            #expect(warnings.count == 70, "\(warnings.count)")
            #expect(warnings.first?.contains("the caption of row 2 has ") == true)
        }

        // MARK: Weights

        @Test func checkpointsOfAnotherKind() throws {
            try place.train(TrainingPlace.lora, output: "a")
            let lora = place.file("a/epoch-0.safetensors")
            try expectRefusal(
                ["--resume_from_checkpoint", lora], saying: lora, "--lora_checkpoint",
                method: TrainingPlace.full)
            try expectRefusal(
                ["--lora_checkpoint", lora, "--lora_rank", "4"], saying: lora, "of rank 2, not 4")
            try expectRefusal(
                ["--lora_checkpoint", lora, "--lora_target_modules", "proj_out"], saying: lora)
            try expectRefusal(
                ["--lora_checkpoint", lora], saying: "--lora_base_model",
                method: TrainingPlace.full)
        }

        @Test func weightsThatAreNoNumbersAreNamed() throws {
            let model = try place.folder.model()
            let path = model + "/transformer/diffusion_pytorch_model.safetensors"
            let file = try SafetensorsFile(path: path)
            let tensor = try #require(file["transformer_blocks.1.ff.linear_in.weight"])
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.seek(toOffset: UInt64(file.range(of: tensor).lowerBound))
            try handle.write(contentsOf: Data([0xC0, 0x7F]))
            try handle.close()
            try expectRefusal(
                ["--model", model], saying: "step 1: the loss is not a finite number",
                "'transformer_blocks.1")
        }
    }
}
