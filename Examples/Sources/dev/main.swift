// Text to picture with FLUX.2-dev.
// Guidance is an input of the model; agree to its licence on the hub first.
//
//     swift run dev ["what the picture shows" [side in pixels]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let prompt = arguments.first ?? "a red fox in the snow, photograph, soft morning light"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 1024

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

let image = try await pipeline(
    prompt: prompt, embeddedGuidance: 4, height: side, width: side, seed: 0,
    numInferenceSteps: 50,
    progressBarCmd: { event in
        if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
    })
try image.write(to: "dev.png", overwrite: true)
print("dev.png")
