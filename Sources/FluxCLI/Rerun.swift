import ArgumentParser
import Flux2
import Foundation
import Imaging
import Torch

struct Rerun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a picture again from the settings that it carries.",
        discussion: """
            Models, pictures and LoRAs are not in the file: give those that it was made with.
            """)

    @Argument(help: "A picture that flux2 generate has made.")
    var image: String

    @Flag(help: "Compare the new picture with the old one, and write it only if --output is given.")
    var check = false

    @Option(name: .shortAndLong, help: "Picture to write.")
    var output: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Inputs") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions

    @OptionGroup var processor: ThreadOptions

    @OptionGroup var kernels: KernelOptions

    @Flag(name: .shortAndLong, help: "No progress, no notices.")
    var quiet = false

    func validate() throws {
        guard check || output != nil else {
            throw ValidationError("give --check, --output or both")
        }
    }

    func run() async throws {
        HostMemory.keepFreed()
        if let output { try OutputOptions.check(output, overwrite: force) }
        let old = try Image(contentsOf: image)
        var settings = try Settings(ofPicture: image)
        let report = Reporter(quiet: quiet)
        let request = try request(settings, report)
        let dtype = try settings.known(DType(name: settings.dtype), "dtype", settings.dtype)
        let device = try settings.known(Device(name: settings.device), "device", settings.device)
        var model = model
        if model.model == nil, model.transformer == nil { model.model = try known(settings.model) }
        let files = try await model.files(report)
        try kernels.apply(orThoseOf: &settings, report)
        let engine = Engine(
            files, device: device, dtype: dtype, threads: processor.threads,
            memory: try settings.memory(), weightCache: .standard())
        let progress = TerminalProgress(report)
        let result = try await cancellingOnInterrupt {
            try await engine.generate(request) { progress.show($0) }
        }
        progress.finish()
        if let output {
            try result.image.write(
                to: output, metadata: settings.metadata(), overwrite: force)
            report.notice("\(output): \(result.image.width)x\(result.image.height)")
        }
        if check { try compare(result.image, old) }
    }

    /// The model of a name, if it is the program's or a published one: no other is taken by the
    /// picture's word, which may be anybody's.
    private func known(_ name: String) throws -> String {
        if name == BundledModel.name, let folder = BundledModel.folder() { return folder }
        guard let variant = Variant(named: name) else {
            throw ValidationError(
                "\(image) was made with a model called '\(name)'; say where it is with --model")
        }
        return variant.rawValue
    }

    private func request(_ settings: Settings, _ report: Reporter) throws -> GenerationRequest {
        var request = try settings.request()
        request.tiling = try settings.known(
            TilingOptions.tiling(settings.tiling), "tiling", settings.tiling ?? "")
        var inputs = inputs
        inputs.denoisingStrength = settings.denoisingStrength
        inputs.editImageAutoResize = settings.resizesEditImages ?? true
        inputs.inpaintBlurSize = settings.inpaintBlurSize
        inputs.inpaintBlurSigma = settings.inpaintBlurSigma
        try inputs.complete(&request, report)
        request.loras = lora.uses
        if let mode = settings.loraMode {
            request.loraMode = try settings.known(
                LoRAUse.Mode(rawValue: mode), "lora_mode", mode)
        }
        try requireSame(request, settings)
        return request
    }

    /// Refuses to make another picture for want of what the old one was made with.
    private func requireSame(_ request: GenerationRequest, _ settings: Settings) throws {
        let (given, stored) = (Settings.inputs(request), settings.inputs ?? [:])
        for name in Set(given.keys).union(stored.keys).sorted()
        where given[name] != stored[name] {
            throw ValidationError(
                "\(image) was made with \(stored[name] ?? 0) of "
                    + "--\(name.replacing("_", with: "-")), not \(given[name] ?? 0)")
        }
        guard request.loras.count == settings.loras?.count ?? 0 else {
            throw ValidationError(
                "\(image) was made with LoRAs \(settings.loras ?? []), not with "
                    + "\(request.loras.count)")
        }
    }

    private func compare(_ new: Image, _ old: Image) throws {
        guard new.width == old.width, new.height == old.height else {
            throw ValidationError(
                "the new picture has \(new.width)x\(new.height) pixels, not "
                    + "\(old.width)x\(old.height)")
        }
        let differences = zip(new.pixels, old.pixels).map { abs(Int($0) - Int($1)) }
        let largest = differences.max() ?? 0
        let count = differences.count { $0 > 0 }
        print(
            "largest difference \(largest) of 255 levels; "
                + "\(count) of \(differences.count) values differ")
        if largest > 0 { throw ExitCode(1) }
    }
}
