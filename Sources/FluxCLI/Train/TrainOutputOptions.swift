public import ArgumentParser
import Flux2
import FluxTraining
public import LoRA

/// What training writes, and when.
struct TrainOutputOptions: ParsableArguments {
    @Option(
        help: "Folder of checkpoints and logs; for …:data_process of encoded samples.",
        completion: .directory)
    var outputPath = "./models"

    @Option(help: "What is taken off the beginning of names in checkpoints.")
    var removePrefixInCkpt = "pipe.dit."

    @Option(help: "Steps between checkpoints, instead of one each epoch.")
    var saveSteps: Int?

    @Option(help: "The naming of LoRA files: diffsynth, diffusers, peft, comfyui or kohya.")
    var export = LoRADialect.diffsynth

    @Flag(help: "Go on from the state in the output folder.")
    var resume = false

    @Flag(help: "Begin anew where the output folder holds a training, and replace that.")
    var force = false

    @Flag(
        inversion: .prefixedNo,
        help: "Keep what --resume needs beside the checkpoints.")
    var keepState = true

    @Flag(help: "Write losses to loss.csv.")
    var enableCsvLog = false

    @Flag(help: "Write events for TensorBoard to tensorboard_log.")
    var enableTensorboardLog = false

    @Flag(help: "Write everything to log.jsonl.")
    var enableJsonLog = false

    @Flag(help: "Write report.html with curves and pictures.")
    var report = false

    func settings(baseModel: String?) -> OutputSettings {
        var settings = OutputSettings()
        settings.folder = outputPath
        settings.removedPrefix = removePrefixInCkpt
        settings.saveEvery = saveSteps
        settings.dialect = export
        settings.resumes = resume
        settings.replaces = force
        settings.keepsState = keepState
        settings.baseModel = baseModel
        settings.logs = Set(
            [
                (enableCsvLog, OutputSettings.LogKind.csv),
                (enableTensorboardLog, .tensorBoard), (enableJsonLog, .jsonLines),
                (report, .report),
            ].filter(\.0).map(\.1))
        return settings
    }
}

/// Pictures and held-out losses in between.
struct TrainInspectionOptions: ParsableArguments {
    @Option(help: "Samples at the end of the data set that are held out.")
    var validationSplit = 0

    @Option(help: "Steps between two looks at their loss.")
    var validationSteps: Int?

    @Option(help: "What a picture shows that is made now and then; may be repeated.")
    var samplePrompt: [String] = []

    @Option(help: "Steps between two sets of pictures.")
    var sampleSteps: Int?

    @Option(help: "Pixels of these pictures.")
    var sampleHeight = 512

    @Option(help: "Pixels of these pictures.")
    var sampleWidth = 512

    @Option(help: "Steps of each of these pictures.")
    var sampleInferenceSteps = 20

    @Option(help: "Guidance of these pictures by the empty prompt.")
    var sampleCfgScale = 1.0

    @Option(help: "The seed of these pictures.")
    var sampleSeed: UInt64 = 0

    func settings() -> InspectionSettings {
        var settings = InspectionSettings()
        settings.heldOut = validationSplit
        settings.validateEvery = validationSteps
        settings.prompts = samplePrompt
        settings.sampleEvery = sampleSteps
        settings.sampleHeight = sampleHeight
        settings.sampleWidth = sampleWidth
        settings.sampleSteps = sampleInferenceSteps
        settings.sampleScale = sampleCfgScale
        settings.sampleSeed = sampleSeed
        return settings
    }
}
