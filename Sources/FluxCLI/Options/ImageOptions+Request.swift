import Flux2

extension ImageOptions {
    /// The request that all options of an image together make.
    func request(
        _ prompt: String, for files: ModelFiles, _ inputs: InputOptions, _ lora: LoRAOptions,
        _ tiling: TilingOptions, _ report: Reporter
    ) throws -> GenerationRequest {
        var request = try request(prompt, for: files, report)
        request.tiling = tiling.resolved()
        request.loras = lora.uses
        request.loraMode = lora.loraMode ?? .hot
        try inputs.complete(&request, report)
        return request
    }
}
