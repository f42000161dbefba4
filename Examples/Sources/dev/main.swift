// Draws an image and edits it with FLUX.2-dev.
// Guidance is an input of the model; agree to its license on the hub first.
//
//     swift run dev ["what the image shows" [side in pixels ["what to change"]]]
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
        ModelConfig(modelID: owner + "FLUX.2-dev", originFilePattern: "text_encoder/*.safetensors"),
        ModelConfig(modelID: owner + "FLUX.2-dev", originFilePattern: "transformer/*.safetensors"),
        ModelConfig(modelID: owner + "FLUX.2-dev", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(modelID: owner + "FLUX.2-dev", originFilePattern: "tokenizer/"),
    onDownload: { if case .finished(let path) = $0 { print(path) } })

let show: @Sendable (GenerationEvent) -> Void = { event in
    if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
}
let image = try await pipeline(
    prompt: prompt, embeddedGuidance: 4, height: side, width: side, seed: 42, numInferenceSteps: 50,
    progressBarCmd: show)
try image.write(to: "dev.png", overwrite: true)
print("dev.png")

// The image becomes a reference of the next one, with less guidance.
let edited = try await pipeline(
    prompt: change, embeddedGuidance: 2.5, editImage: [image], height: side, width: side, seed: 42,
    numInferenceSteps: 50, progressBarCmd: show)
try edited.write(to: "dev-edit.png", overwrite: true)
print("dev-edit.png")
