internal import ArgumentParser
import Flux2
import FluxTraining
internal import LoRA

/// What training writes, and when.
struct TrainOutputOptions: ParsableArguments {
    @Option(
        name: [.customLong("output-path"), .customLong("output"), .customShort("o")],
        help: "Folder to write: checkpoints and logs; with …:data_process, encoded samples.",
        completion: .directory)
    var outputPath = "./models"

    @Option(help: "Prefix to remove from names in checkpoints.")
    var removePrefixInCkpt = "pipe.dit."

    @Option(help: "Steps between checkpoints. Default: one each epoch.")
    var saveSteps: Int?

    @Option(help: "Naming of LoRA files.")
    var export = LoRADialect.diffsynth

    @Flag(help: "Continue from the state in the output folder.")
    var resume = false

    @Flag(help: "Start anew, and replace the training in the output folder.")
    var force = false

    @Flag(
        inversion: .prefixedNo,
        help: "Training state beside the checkpoints, for --resume.")
    var keepState = true

    @Flag(help: "Losses as loss.csv.")
    var enableCsvLog = false

    @Flag(help: "Events for TensorBoard, in tensorboard_log.")
    var enableTensorboardLog = false

    @Flag(help: "All events as log.jsonl.")
    var enableJsonLog = false

    @Flag(help: "Report with curves and sample images as report.html.")
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

/// Images and held-out losses in between.
struct TrainValidationOptions: ParsableArguments {
    @Option(help: "Samples at the end of the data set to hold out for validation.")
    var validationSplit = 0

    @Option(help: "Steps between validations.")
    var validationSteps: Int?

    @Option(help: "Prompt of sample images; may be repeated.")
    var samplePrompt: [String] = []

    @Option(help: "Training steps between sample images.")
    var sampleSteps: Int?

    @Option(help: "Height of sample images, in pixels.")
    var sampleHeight = 512

    @Option(help: "Width of sample images, in pixels.")
    var sampleWidth = 512

    @Option(help: "Denoising steps of sample images.")
    var sampleInferenceSteps = 20

    @Option(help: "Classifier-free guidance of sample images, from the empty prompt.")
    var sampleCfgScale = 1.0

    @Option(help: "Seed of sample images.")
    var sampleSeed: UInt64 = 0

    func settings() -> ValidationSettings {
        var settings = ValidationSettings()
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
