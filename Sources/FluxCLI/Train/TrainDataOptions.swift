import ArgumentParser
import Domains
import FluxTraining

/// What is trained on.
struct TrainDataOptions: ParsableArguments {
    @Option(
        help: """
            Folder of the data set, which paths in the metadata are relative to; empty is the current \
            folder. Without metadata, samples are its images with .txt files beside them. With \
            …:train, the folder of encoded samples.
            """, completion: .directory)
    var datasetBasePath: String?

    @Option(help: "Rows of images and prompts: .json, .jsonl, or CSV.", completion: .file())
    var datasetMetadataPath: String?

    @Option(help: "Repeats of each sample in an epoch.")
    var datasetRepeat = 1

    @Option(help: "Images to read in parallel, ahead of their use.")
    var datasetNumWorkers = 0

    @Option(help: "Columns of image paths, between commas.")
    var dataFileKeys = "image,video"

    @Option(help: "Columns of further inputs, between commas: edit_image, seed, …")
    var extraInputs = ""

    @Option(help: "Pixels; with --width, the size of all images.")
    var height: Int?

    @Option(help: "Pixels; with --height, the size of all images.")
    var width: Int?

    @Option(help: "Largest area of images, without --height and --width.")
    var maxPixels = 1_048_576

    @Option(help: "Samples in a batch; images of one size come together.")
    var batchSize = 1

    @Option(help: "Text tokens that captions are cut or padded to. Default: the model's own.")
    var textLength: Int?

    @Flag(help: "Skip samples whose images cannot be read, instead of stopping.")
    var skipUnreadable = false

    @Flag(help: "Read images as stored, whatever their EXIF orientation, as in DiffSynth-Studio.")
    var ignoreExif = false

    @Flag(help: "Drop transparency instead of compositing on white, as in DiffSynth-Studio.")
    var dropAlpha = false

    @Option(help: "GB of memory for encoded samples, which each epoch uses again.")
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
        data.imageColumns = NameList.read(dataFileKeys)
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
