/// What `--task` names: an objective, and which part of the work is done.
public enum TrainingTask: String, Hashable, Sendable, CaseIterable, Codable {
    /// Flow matching on images with captions.
    case sft
    /// Encoding of images and captions for ``sftTrain``.
    case sftDataProcess = "sft:data_process"
    /// Flow matching on what ``sftDataProcess`` has encoded.
    case sftTrain = "sft:train"
    /// Distillation of images that were made with more steps.
    case directDistill = "direct_distill"
    /// Encoding for ``directDistillTrain``.
    case directDistillDataProcess = "direct_distill:data_process"
    /// Distillation of what ``directDistillDataProcess`` has encoded.
    case directDistillTrain = "direct_distill:train"
    /// Images to latents and back: the autoencoder by itself, which DiffSynth-Studio does not train.
    case autoencoder = "vae"

    /// Whether samples are only encoded.
    public var encodesOnly: Bool { rawValue.hasSuffix(":data_process") }
    /// Whether samples come encoded.
    public var readsEncoded: Bool { rawValue.hasSuffix(":train") }
    /// Whether the objective is distillation.
    public var distills: Bool { rawValue.hasPrefix("direct_distill") }
}
