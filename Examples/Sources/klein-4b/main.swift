// Text to picture with FLUX.2-klein-4B.
// 4-step distilled; Apache 2.0.
//
//     swift run klein-4b ["what the picture shows" [side in pixels]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let prompt = arguments.first ?? "a red fox in the snow, photograph, soft morning light"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 1024

// What is not on this machine is fetched; see `flux2 download --help` for places and hubs.
let pipeline = try await Flux2ImagePipeline.fromPretrained(
    dtype: .bfloat16,
    modelConfigs: [
        ModelConfig(
            modelID: owner + "FLUX.2-klein-4B", originFilePattern: "text_encoder/*.safetensors"),
        ModelConfig(
            modelID: owner + "FLUX.2-klein-4B", originFilePattern: "transformer/*.safetensors"),
        ModelConfig(modelID: owner + "FLUX.2-klein-4B", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(
        modelID: owner + "FLUX.2-klein-4B", originFilePattern: "tokenizer/"),
    onDownload: { if case .finished(let path) = $0 { print(path) } })

let image = try await pipeline(
    prompt: prompt, height: side, width: side, seed: 0, numInferenceSteps: 4,
    progressBarCmd: { event in
        if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
    })
try image.write(to: "klein-4b.png", overwrite: true)
print("klein-4b.png")
