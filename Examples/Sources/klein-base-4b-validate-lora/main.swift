// Looks at a LoRA of FLUX.2-klein-base-4B: an image with DiffSynth-Studio's validation settings.
//
//     swift run klein-base-4b-validate-lora [LoRA [side in pixels]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let trained = arguments.first ?? "models/train/FLUX.2-klein-base-4B_lora/epoch-4.safetensors"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 768

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
        modelID: owner + "FLUX.2-klein-4B", originFilePattern: "tokenizer/"))

// Folded into the weights.
try await pipeline.loadLoRA(trained, hotload: false)

let image = try await pipeline(
    prompt: "a dog", cfgScale: 4, height: side, width: side, seed: 0, numInferenceSteps: 40,
    progressBarCmd: { event in
        if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
    })
try image.write(to: "klein-base-4b-validate-lora.png", overwrite: true)
print("klein-base-4b-validate-lora.png")
