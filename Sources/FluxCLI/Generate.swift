import ArgumentParser
import Flux2
import Torch

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make a picture from a prompt.")

    @Argument(help: "What the picture shows.")
    var prompt: String

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Picture") var picture: PictureOptions
    @OptionGroup(title: "Inputs") var inputs: InputOptions
    @OptionGroup(title: "Tiling") var tiling: TilingOptions
    @OptionGroup(title: "Computation") var compute: ComputeOptions
    @OptionGroup(title: "Output") var output: OutputOptions

    func run() async throws {
        HostMemory.keepFreed()
        try output.check()
        let report = Reporter(quiet: output.quiet)
        let files = try model.files()
        let request = try request(for: files, report)
        let (device, dtype) = compute.resolved(report)
        let engine = Engine(files, device: device, dtype: dtype, threads: compute.threads)
        let watch = MemoryWatch()
        let progress = TerminalProgress(report)
        let result = try await cancellingOnInterrupt {
            try await engine.generate(request) { progress.show($0) }
        }
        progress.finish()
        let settings = Settings(
            request, model: model.model ?? files.transformer, dtype: dtype, device: device)
        try Deliverer(output, report).deliver(
            result, settings, peakPrivate: watch.stop(), device: device)
    }

    private func request(
        for files: ModelFiles, _ report: Reporter
    ) throws -> GenerationRequest {
        var request = try picture.request(prompt, for: files, report)
        request.tiling = tiling.resolved()
        try inputs.complete(&request, report)
        return request
    }
}
