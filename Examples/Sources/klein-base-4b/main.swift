// Draws an image and edits it with FLUX.2-klein-base-4B.
// Not distilled, so with many steps and guidance; Apache 2.0.
// Text encoder, autoencoder and tokenizer are those of the distilled model.
//
//     swift run klein-base-4b ["what the image shows" [side in pixels ["what to change"]]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let prompt = arguments.first ?? "a red fox in the snow, photograph, soft morning light"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 1024
let change = arguments.dropFirst(2).first ?? "make it a watercolour on rough paper"

// What is not on this machine is fetched; see `flux2 download --help` for places and hubs.
let pipeline = try await Flux2ImagePipeline.fromPretrained(
    dtype: .bfloat16,
    modelConfigs: [
        ModelConfig(
            modelID: owner + "FLUX.2-klein-4B", originFilePattern: "text_encoder/*.safetensors"),
        ModelConfig(
            modelID: owner + "FLUX.2-klein-base-4B", originFilePattern: "transformer/*.safetensors"),
        ModelConfig(modelID: owner + "FLUX.2-klein-4B", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(
        modelID: owner + "FLUX.2-klein-4B", originFilePattern: "tokenizer/"),
    onDownload: { if case .finished(let path) = $0 { print(path) } })

let show: @Sendable (GenerationEvent) -> Void = { event in
    if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
}
let image = try await pipeline(
    prompt: prompt, cfgScale: 4, height: side, width: side, seed: 0, numInferenceSteps: 50,
    progressBarCmd: show)
try image.write(to: "klein-base-4b.png", overwrite: true)
print("klein-base-4b.png")

// The image becomes a reference of the next one.
let edited = try await pipeline(
    prompt: change, cfgScale: 4, editImage: [image], height: side, width: side, seed: 1,
    numInferenceSteps: 50, progressBarCmd: show)
try edited.write(to: "klein-base-4b-edit.png", overwrite: true)
print("klein-base-4b-edit.png")
