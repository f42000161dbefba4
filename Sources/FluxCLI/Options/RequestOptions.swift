import ArgumentParser
import Flux2

/// Everything that a picture follows from but its prompt.
struct RequestOptions: ParsableArguments {
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Picture") var picture: PictureOptions
    @OptionGroup(title: "Inputs") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup(title: "Tiling") var tiling: TilingOptions
    @OptionGroup var engine: EngineOptions

    /// Finds the model, reads pictures, and settles what is computed on.
    func prepared(_ prompt: String, _ report: Reporter) async throws -> PreparedRequest {
        let files = try await model.files(report)
        let request = try picture.request(prompt, for: files, inputs, lora, tiling, report)
        return PreparedRequest(
            files: files, model: model.name(of: files), request: request,
            settings: try engine.resolved(report))
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
