// Looks at the checkpoint of a full training of FLUX.2-klein-base-4B: an image with DiffSynth-Studio's validation settings.
//
//     swift run klein-base-4b-validate-full [checkpoint [side in pixels]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let trained = arguments.first ?? "models/train/FLUX.2-klein-base-4B_full/epoch-1.safetensors"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 768

let pipeline = try await Flux2ImagePipeline.fromPretrained(
    dtype: .bfloat16,
    modelConfigs: [
        ModelConfig(
            modelID: owner + "FLUX.2-klein-4B", originFilePattern: "text_encoder/*.safetensors"),
        // Every weight of the transformer is in the checkpoint.
        ModelConfig(path: trained),
        ModelConfig(modelID: owner + "FLUX.2-klein-4B", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(
        modelID: owner + "FLUX.2-klein-4B", originFilePattern: "tokenizer/"))

let image = try await pipeline(
    prompt: "a dog", cfgScale: 4, height: side, width: side, seed: 0, numInferenceSteps: 40,
    progressBarCmd: { event in
        if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
    })
try image.write(to: "klein-base-4b-validate-full.png", overwrite: true)
print("klein-base-4b-validate-full.png")
