internal import Flux2
internal import Foundation

extension Recipe {
    /// The recipe as a file for `flux2 train --config`.
    ///
    /// - Parameter path: where it will be, for the commands in its comments.
    public func yaml(path: String) -> String {
        var text = YAMLText()
        introduce(&text, path)
        addData(&text)
        addMethod(&text)
        addOptimization(&text)
        addOutput(&text)
        if model.variant == .dev { addSplit(&text, path) }
        return text.lines.joined(separator: "\n") + "\n"
    }

    private func introduce(_ text: inout YAMLText, _ path: String) {
        let sizes = data.sizes.prefix(3).map { "\($0.count) of \($0.size)" }
        let others = data.sizes.count > 3 ? ", … \(data.sizes.count) sizes" : ""
        text.note("A LoRA for \(model.name) from \(data.count) images:")
        text.note(sizes.joined(separator: ", ") + others)
        text.note("")
        text.note("  flux2 train --config \(path) --dry-run   memory and time, before anything")
        text.note("  flux2 train --config \(path)")
        text.note("  flux2 train --config \(path) --resume    after an interruption")
        text.note("")
        text.note("Options on the command line win over this file.")
        if model.isDistilled {
            text.note("")
            text.note("This model was distilled to few steps, which training on images may undo:")
            text.note(
                "results may need more steps and guidance. The base model is the better start;")
            text.note("a LoRA trained on it can be loaded into the distilled one, too.")
        }
    }

    private func addData(_ text: inout YAMLText) {
        text.note("")
        text.add("model", YAMLText.quoted(model.name), "a folder, or a published name")
        text.add("dataset_base_path", YAMLText.quoted(data.folder), "where the images are")
        if let metadata = data.metadata {
            text.add("dataset_metadata_path", YAMLText.quoted(metadata), "rows with captions")
        }
        if data.hasEdits {
            text.add("data_file_keys", "[image, edit_image]", "columns that name images")
            text.add("extra_inputs", "edit_image", "images that captions refer to")
        }
        text.add("max_pixels", "\(maxPixels)", "larger images are made smaller")
        text.add("dataset_num_workers", "2", "images read ahead")
        if heldOut > 0 {
            text.add("validation_split", "\(heldOut)", "the last samples are held out")
            text.add("validation_steps", "\(interval)", "steps between looks at their loss")
        }
    }

    private func addMethod(_ text: inout YAMLText) {
        let targets = model.targets.argument
        text.note("")
        text.add("lora_base_model", "dit", "a LoRA on the transformer")
        text.add(
            "lora_target_modules", targets.isEmpty ? "\"\"" : "'\(targets)'",
            "all matrices inside blocks")
        text.add("lora_rank", "\(rank)", "for \(data.count - heldOut) samples to learn from")
        text.add("exact_loss", "true", "noise levels and targets in float32")
        text.add(
            "use_gradient_checkpointing", "\(recomputes)",
            "\(Self.gigabytes(memory)) with it, of \(Self.gigabytes(free)) free"
                .replacing("with it", with: recomputes ? "with it" : "without it"))
    }

    private func addOptimization(_ text: inout YAMLText) {
        text.note("")
        text.add("num_epochs", "\(epochs)", "passes through the samples: \(steps) steps")
        text.add("batch_size", "\(batchSize)", "samples side by side")
        text.add(
            "gradient_accumulation_steps", "\(accumulation)",
            "\(batchSize * accumulation) samples for an update")
        text.add("learning_rate", "1e-4", "lower it when losses jump")
        text.add("lr_scheduler", "cosine", "falls to 0 towards the end")
        text.add("lr_warmup_steps", "\(warmup)", "updates until the rate is whole")
        text.add("max_grad_norm", "1.0", "no update is larger than usual")
        text.add("master_weights", "fp32", "small changes are not rounded off")
        text.add("seed", "1", "the same again gives the same")
    }

    private func addOutput(_ text: inout YAMLText) {
        let name = URL(fileURLWithPath: data.folder).lastPathComponent
        text.note("")
        text.add("output_path", YAMLText.quoted("./training/\(name)"), "checkpoints and logs")
        text.add("save_steps", "\(interval)", "ten checkpoints in all")
        text.add("keep_state", "true", "what --resume needs is kept")
        text.add("report", "true", "report.html: curves and images")
        text.add("enable_csv_log", "true", "loss.csv")
        guard !data.prompts.isEmpty else { return }
        text.add("sample_prompt", list: data.prompts, "images in between")
        text.add("sample_steps", "\(interval)", "steps between them")
        text.add("sample_height", "\(sampleSize.height)", "pixels")
        text.add("sample_width", "\(sampleSize.width)", "pixels")
        text.add("sample_inference_steps", "\(model.sampling.steps)", "steps of each")
        text.add("sample_cfg_scale", "\(model.sampling.scale)", "1 is without guidance")
    }

    private func addSplit(_ text: inout YAMLText, _ path: String) {
        text.note("")
        text.note(
            "The text encoder of dev is as large as three quarters of its transformer. To have")
        text.note("it in memory at another time, encode all samples first, and train on those")
        if data.metadata != nil {
            text.note("(without dataset_metadata_path)")
        }
        text.note("")
        text.note("  flux2 train --config \(path) --task sft:data_process --output_path encoded")
        text.note("  flux2 train --config \(path) --task sft:train --dataset_base_path encoded")
    }

    private static func gigabytes(_ bytes: Int) -> String {
        String(format: "%.1f GB", Double(bytes) / 1e9)
    }
}
