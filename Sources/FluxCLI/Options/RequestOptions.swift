import ArgumentParser
import Flux2

/// What the machine is to do for an image: what help texts show last.
struct MachineOptions: ParsableArguments {
    @OptionGroup(title: "Model parts") var parts: ModelParts
    @OptionGroup(title: "Tiling") var tiling: TilingOptions
    @OptionGroup var engine: EngineOptions
}

/// What an image follows from but its prompt and `MachineOptions`.
struct RequestOptions: ParsableArguments {
    @OptionGroup(title: "Basics") var name: ModelName
    @OptionGroup var image: ImageOptions
    @OptionGroup(title: "Input images") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions

    /// Finds the model, reads images, and settles what is computed on.
    ///
    /// - Parameters:
    ///   - fetches: whether parts of the model that are not here are fetched.
    ///   - beforeFetching: refuses what shall not be found out after a long download.
    func prepared(
        _ prompt: String, on machine: MachineOptions, _ report: Reporter, fetches: Bool = true,
        beforeFetching: @escaping @Sendable () throws -> Void = {}
    ) async throws -> PreparedRequest {
        try image.check()
        let model = ModelOptions(model: name.model, parts: machine.parts)
        let files = try await model.files(
            report, fetches: fetches, beforeFetching: beforeFetching)
        let request = try image.request(prompt, for: files, inputs, lora, machine.tiling, report)
        tellOfNoEffect(machine, report)
        return PreparedRequest(
            files: files, model: model.name(of: files), request: request,
            settings: try machine.engine.resolved(report))
    }

    /// Options that do nothing beside the others; those of the request itself are told by the engine.
    private func tellOfNoEffect(_ machine: MachineOptions, _ report: Reporter) {
        let memory = machine.engine.memory
        if memory.noWeightCache, !memory.saysHowWeightsAreKept {
            report.warn("--no-weight-cache has no effect without --weights")
        }
        if inputs.editImageAutoResize == true, inputs.editImage.isEmpty {
            report.warn("--edit-image-auto-resize has no effect without --edit-image")
        }
        if machine.tiling.hasIdleSizes {
            report.warn("--tile-size and --tile-stride have no effect without --tiled")
        }
    }
}

/// A request, and what it is made with.
struct PreparedRequest {
    var files: ModelFiles
    /// The model as it was named.
    var model: String
    var request: GenerationRequest
    var settings: EngineSettings

    func engine() -> Engine { settings.engine(files) }
}
