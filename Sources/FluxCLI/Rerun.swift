import ArgumentParser
import Flux2
import Foundation
import Imaging
import Torch

struct Rerun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an image again from the settings in its file, or with changes.",
        discussion: """
            Options replace settings of the image; all others stay as they were. Models, input images \
            and LoRAs are not in the file: give those that it was made with, or others.

            --check ends with 0 where no pixel differs, and with 2 where some do. JPEG and WebP are \
            compared after encoding in the same way.

            Examples:
              flux2 rerun fox.png --check
              flux2 rerun fox.png "a red fox at night" -o night.png
            """)

    @Argument(help: "Image that flux2 generate has made.", completion: .file())
    var image: String

    @Argument(help: "Prompt in place of the image's.")
    var prompt: String?

    @Flag(help: "Compare the new image with the old one; write it only if --output is given.")
    var check = false

    @OptionGroup(title: "Basics") var name: ModelName
    @OptionGroup var imageOptions: ImageOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup(title: "Input images") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup(title: "Model parts") var parts: ModelParts
    @OptionGroup(title: "Tiling") var tiling: TilingOptions

    @OptionGroup(title: "Computation") var computation: SameComputeOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    private var model: ModelOptions { ModelOptions(model: name.model, parts: parts) }

    func validate() throws {
        let changes =
            (prompt == nil ? [] : ["the prompt"]) + imageOptions.changes + inputs.changes
            + (tiling.isGiven ? ["--tiling"] : [])
        guard !check || changes.isEmpty else {
            throw ValidationError(
                "--check compares with the image as it was made; leave out "
                    + changes.joined(separator: ", "))
        }
    }

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: output.quiet)
        let old = try PreviousImage(image)
        var settings = old.settings
        let request = try request(settings, report)
        try request.validate()
        let files = try await modelOptions(settings).files(report)
        if let remark = files.presetRemark { report.warn(remark) }
        // The name says where models are that are no published ones.
        if model.model == nil, parts.transformer == nil { settings.model = old.settings.model }
        let engineSettings = try engineSettings(&settings, report)
        var batch = try Batch(
            request, prompts: [request.prompt], count: 1, output: output, model: settings.model)
        if writes { try batch.check() }
        let maker = BatchRunner(
            engine: engineSettings.engine(files), model: settings.model, settings: engineSettings,
            report: report)
        let made = try await maker.made(request)
        if writes { try maker.deliver(made, of: batch.jobs[0], batch.output) }
        if check { try tell(try old.compared(with: made.result.image), report) }
    }

    private var writes: Bool { !check || output.output != nil }

    /// The model that is given, else that of the image.
    private func modelOptions(_ settings: GenerationMetadata) throws -> ModelOptions {
        var options = model
        if options.model == nil, parts.transformer == nil {
            options.model = try known(settings.model)
        }
        return options
    }

    /// The model of a name, if it is the program's or a published one: no other is taken by the
    /// image's word, which may be anybody's.
    private func known(_ name: String) throws -> String {
        if name == BundledModel.name, let folder = BundledModel.folder() { return folder }
        guard let variant = Variant(named: name) else {
            throw ValidationError(
                "\(image) was made with a model called '\(name)'; say where it is with --model")
        }
        return variant.rawValue
    }

    /// What is computed on and with, as the image was unless something else is given.
    private func engineSettings(
        _ settings: inout GenerationMetadata, _ report: Reporter
    ) throws -> EngineSettings {
        let device =
            try computation.device?.resolved().0
            ?? settings.known(Device(name: settings.device), "device", settings.device)
        let dtype =
            try computation.dtype?.resolved(on: device).0
            ?? settings.known(DType(name: settings.dtype), "dtype", settings.dtype)
        if model.model != nil || parts.transformer != nil {
            settings.model = model.model ?? parts.transformer ?? settings.model
        }
        settings.device = device.description
        try computation.kernels.apply(orThoseOf: &settings, report)
        var limits = try memory.settings(device, dtype, report)
        if !memory.saysHowWeightsAreKept { limits.storage = try settings.memory().storage }
        return EngineSettings(
            device: device, dtype: dtype, threads: computation.processor.threads, memory: limits,
            promptCache: nil, weightCache: memory.noWeightCache ? nil : .standard())
    }

    private func request(_ settings: GenerationMetadata, _ report: Reporter) throws
        -> GenerationRequest
    {
        var request = try settings.request()
        request.prompt = prompt ?? request.prompt
        imageOptions.change(&request)
        request.tiling =
            try tiling.isGiven
            ? tiling.resolved()
            : settings.known(
                TilingOptions.tiling(settings.tiling), "tiling", settings.tiling ?? "")
        var inputs = inputs
        inputs.denoisingStrength = inputs.denoisingStrength ?? settings.denoisingStrength
        inputs.editImageAutoResize = inputs.editImageAutoResize ?? settings.resizesEditImages
        inputs.inpaintBlurSize = inputs.inpaintBlurSize ?? settings.inpaintBlurSize
        inputs.inpaintBlurSigma = inputs.inpaintBlurSigma ?? settings.inpaintBlurSigma
        try inputs.complete(&request, report)
        request.loras = lora.uses
        let mode = lora.loraMode?.rawValue ?? settings.loraMode
        if let mode {
            request.loraMode = try settings.known(
                LoRAUse.Mode(rawValue: mode), "lora_mode", mode)
        }
        try requireInputs(request, settings, report)
        return request
    }

    /// Refuses to make another image for want of what the old one was made with; with --check, also
    /// for what it was not.
    private func requireInputs(
        _ request: GenerationRequest, _ settings: GenerationMetadata, _ report: Reporter
    ) throws {
        let (given, stored) = (GenerationMetadata.inputs(request), settings.inputs ?? [:])
        for name in Set(given.keys).union(stored.keys).sorted()
        where given[name] != stored[name] && (check || given[name] == nil) {
            throw ValidationError(
                "\(image) was made with \(stored[name] ?? 0) of "
                    + "--\(name.replacing("_", with: "-")), not \(given[name] ?? 0)")
        }
        let (uses, old) = (GenerationMetadata.names(of: request.loras), settings.loras ?? [])
        guard uses.count == old.count || (!check && !uses.isEmpty) else {
            throw ValidationError(
                "\(image) was made with LoRAs \(old), not with \(uses.count); give them, or "
                    + "others, with --lora")
        }
        if check, uses != old {
            report.warn("\(image) was made with LoRAs \(old), not \(uses)")
        }
    }

    private func tell(_ found: PreviousImage.Difference, _ report: Reporter) throws {
        print(
            output.json ? try JSON.line(found, warnings: report.warnings) : found.description)
        if found.differing > 0 { throw Exit.differs.code }
    }
}
