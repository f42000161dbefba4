public import ArgumentParser
import Flux2
import FluxModels
public import FluxTraining

/// What is trained, and by which objective.
struct TrainMethodOptions: ParsableArguments {
    @Option(
        help: """
            Task: sft, direct_distill or vae; …:data_process only encodes samples, …:train trains on \
            encoded ones.
            """)
    var task = TrainingTask.sft

    @Option(
        help: "Components to train in full, between commas: dit, text_encoder, vae, or modules.")
    var trainableModels: String?

    @Option(help: "Component to train a LoRA for: dit, text_encoder or vae.")
    var loraBaseModel: String?

    @Option(
        help: """
            Layers of the LoRA, between commas. A single entry is a regular expression for whole \
            names; an empty one means all matrices of blocks.
            """)
    var loraTargetModules = "q,k,v,o,ffn.0,ffn.2"

    @Option(help: "Rank of the LoRA.")
    var loraRank = 32

    @Option(help: "Alpha: the LoRA is scaled by alpha over rank. Default, and at 0: the rank.")
    var loraAlpha: Double?

    @Option(help: "LoRA to continue from.", completion: .file())
    var loraCheckpoint: String?

    @Option(
        help: "LoRA that is merged into the model first, for differential training.",
        completion: .file())
    var presetLoraPath: String?

    @Option(help: "Component of --preset-lora-path.")
    var presetLoraModel: String?

    @Flag(help: "Accept a --preset-lora-path whose blocks the model lacks in part.")
    var partialLora = false

    @Flag(help: "Gradient checkpointing: blocks are recomputed for gradients, to save memory.")
    var useGradientCheckpointing = false

    @Flag(help: "Gradient checkpointing with the inputs of blocks offloaded to host memory.")
    var useGradientCheckpointingOffload = false

    @Flag(
        help: """
            Noise levels, loss weights and targets in float32; in distillation, levels that follow \
            the image size. DiffSynth-Studio does neither.
            """)
    var exactLoss = false

    @Option(
        help: """
            Weight of the KL divergence beside the pixel loss; for --task vae.
            """)
    var klWeight = 1e-6

    func apply(to settings: inout TrainingSettings) throws {
        settings.task = task
        settings.isExact = exactLoss
        settings.divergenceWeight = klWeight
        settings.checkpointing =
            useGradientCheckpointingOffload
            ? .host : useGradientCheckpointing ? .device : nil
        var method = MethodSettings()
        method.trained = try NameList.read(trainableModels ?? "").map {
            try TrainableModule($0, option: "--trainable_models")
        }
        method.loraBase = try loraBaseModel.map {
            try TrainableModule($0, option: "--lora_base_model")
        }
        method.loraTargets = LoRATargets(loraTargetModules)
        method.loraRank = loraRank
        method.loraAlpha = loraAlpha
        method.loraCheckpoint = loraCheckpoint
        method.presetLoRA = presetLoraPath
        method.presetMayBePartial = partialLora
        method.presetComponent = try presetLoraModel.map(Self.component)
        settings.method = method
    }

    private static func component(_ text: String) throws -> Component {
        let option = "--preset_lora_model"
        let place = try TrainableModule(text, option: option)
        guard place.module.isEmpty else {
            throw ValidationError("\(option) must be a whole component, not '\(text)'")
        }
        return place.component
    }
}

extension TrainingTask: ExpressibleByArgument {}
