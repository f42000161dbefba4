import ArgumentParser
import Domains
import FluxTraining

/// What is trained on.
struct TrainDataOptions: ParsableArguments {
    @Option(
        help: """
            Folder that paths in the metadata are relative to, empty for the current one; for …:train the folder of encoded \
            samples. Without metadata, its pictures with .txt files beside them are the samples.
            """, completion: .directory)
    var datasetBasePath: String?

    @Option(help: "Rows of pictures and prompts: .json, .jsonl, or CSV.", completion: .file())
    var datasetMetadataPath: String?

    @Option(help: "How often each sample comes in an epoch.")
    var datasetRepeat = 1

    @Option(help: "Pictures that are read at once, ahead of their use.")
    var datasetNumWorkers = 0

    @Option(help: "Columns that name pictures, between commas.")
    var dataFileKeys = "image,video"

    @Option(help: "Columns that the objective is told, between commas; edit_image, seed, …")
    var extraInputs = ""

    @Option(help: "Pixels; with --width, all pictures get this size.")
    var height: Int?

    @Option(help: "Pixels; with --height, all pictures get this size.")
    var width: Int?

    @Option(help: "The largest area of pictures, where no size is fixed.")
    var maxPixels = 1_048_576

    @Option(help: "Samples computed side by side; pictures of one size come together.")
    var batchSize = 1

    @Option(help: "Text tokens that captions are cut or padded to.")
    var textLength: Int?

    @Flag(help: "Leave out samples whose pictures cannot be read, instead of stopping.")
    var skipUnreadable = false

    @Flag(help: "Take pictures as stored, whatever EXIF says; DiffSynth-Studio does.")
    var ignoreExif = false

    @Flag(help: "Drop transparency instead of putting pictures on white; DiffSynth-Studio does.")
    var dropAlpha = false

    @Option(help: "GB of memory for encoded samples, which come again each epoch.")
    var keepEncoded = 1.0

    func settings(_ task: TrainingTask) throws -> DataSettings {
        guard let base = datasetBasePath else {
            throw ValidationError("--dataset_base_path is missing")
        }
        var data = DataSettings()
        data.base = base
        data.metadata = datasetMetadataPath
        data.repeats = datasetRepeat
        data.workers = datasetNumWorkers
        data.pictureColumns = NameList.read(dataFileKeys)
        data.extraInputs = try extras()
        (data.height, data.width) = (height, width)
        data.maxPixels = maxPixels
        data.batchSize = batchSize
        data.skipsUnreadable = skipUnreadable
        data.ignoresOrientation = ignoreExif
        data.dropsAlpha = dropAlpha
        try NumericSetting.keepEncoded.domain.check(keepEncoded, "--keep_encoded")
        data.keptBytes = Int(keepEncoded * 1e9)
        return data
    }

    private func extras() throws -> [String] {
        let names = NameList.read(extraInputs)
        for name in names where name != "edit_image" && !SampleExtras.names.contains(name) {
            throw ValidationError(
                "--extra_inputs: '\(name)' is no input of FLUX.2's training; there are edit_image, "
                    + SampleExtras.names.sorted().joined(separator: ", "))
        }
        return names
    }

}
