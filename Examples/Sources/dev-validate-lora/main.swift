// Looks at a LoRA of FLUX.2-dev: an image with DiffSynth-Studio's validation settings.
//
//     swift run dev-validate-lora [LoRA [side in pixels]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let trained = arguments.first ?? "models/train/FLUX.2-dev-LoRA-splited/epoch-4.safetensors"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 1024

let pipeline = try await Flux2ImagePipeline.fromPretrained(
    dtype: .bfloat16,
    modelConfigs: [
        ModelConfig(
            modelID: owner + "FLUX.2-dev", originFilePattern: "text_encoder/*.safetensors"),
        ModelConfig(
            modelID: owner + "FLUX.2-dev", originFilePattern: "transformer/*.safetensors"),
        ModelConfig(modelID: owner + "FLUX.2-dev", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(
        modelID: owner + "FLUX.2-dev", originFilePattern: "tokenizer/"))

// Beside the weights, which need not be changed, then.
try await pipeline.loadLoRA(trained, hotload: true)

let image = try await pipeline(
    prompt: "a dog", height: side, width: side, seed: 0, numInferenceSteps: 30,
    progressBarCmd: { event in
        if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
    })
try image.write(to: "dev-validate-lora.png", overwrite: true)
print("dev-validate-lora.png")
