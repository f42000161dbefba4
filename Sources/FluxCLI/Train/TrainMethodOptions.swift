public import ArgumentParser
import Flux2
import FluxModels
public import FluxTraining

/// What is trained, and by which objective.
struct TrainMethodOptions: ParsableArguments {
    @Option(
        help: """
            sft, sft:data_process, sft:train, direct_distill, direct_distill:data_process, \
            direct_distill:train or vae.
            """)
    var task = TrainingTask.sft

    @Option(help: "Components to train in full, between commas: dit, text_encoder, vae, or parts.")
    var trainableModels: String?

    @Option(help: "The component that gets a LoRA: dit, text_encoder or vae.")
    var loraBaseModel: String?

    @Option(
        help: """
            Layers that get one, between commas; a single entry is a regular expression for whole \
            names; empty takes all matrices of blocks.
            """)
    var loraTargetModules = "q,k,v,o,ffn.0,ffn.2"

    @Option(help: "The rank of the LoRA.")
    var loraRank = 32

    @Option(help: "The LoRA is multiplied with this over the rank; the rank when absent or 0.")
    var loraAlpha: Double?

    @Option(help: "A LoRA file to train further.", completion: .file())
    var loraCheckpoint: String?

    @Option(
        help: "A LoRA that is part of the model from the start: differential training.",
        completion: .file())
    var presetLoraPath: String?

    @Option(help: "The component that it changes.")
    var presetLoraModel: String?

    @Flag(help: "Take it also where blocks of the model lack some of its modules.")
    var partialLora = false

    @Flag(help: "Compute blocks again for gradients, instead of keeping what they need.")
    var useGradientCheckpointing = false

    @Flag(help: "The same, with what blocks start from kept in host memory.")
    var useGradientCheckpointingOffload = false

    @Flag(
        help: """
            Noise levels, weights and targets in 32 bits; for distillation, levels that follow the \
            size of pictures. DiffSynth-Studio does neither.
            """)
    var exactLoss = false

    @Option(
        help: """
            What the divergence of latents from normal noise counts beside the errors of pixels; of \
            --task vae.
            """)
    var klWeight = 1e-6

    func apply(to settings: inout TrainingSettings) throws {
        settings.task = task
        settings.isExact = exactLoss
        settings.divergenceWeight = klWeight
        settings.recomputation =
            useGradientCheckpointingOffload
            ? .host : useGradientCheckpointing ? .device : nil
        var method = MethodSettings()
        method.trained = try NameList.read(trainableModels ?? "").map {
            try TrainedPlace($0, option: "--trainable_models")
        }
        method.loraBase = try loraBaseModel.map {
            try TrainedPlace($0, option: "--lora_base_model")
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
        let place = try TrainedPlace(text, option: option)
        guard place.module.isEmpty else {
            throw ValidationError("\(option) must be a whole component, not '\(text)'")
        }
        return place.component
    }
}

extension TrainingTask: ExpressibleByArgument {}
