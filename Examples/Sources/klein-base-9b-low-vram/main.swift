// Draws and edits an image with FLUX.2-klein-base-9B where it does not fit: DiffSynth-Studio's low-VRAM
// configuration.
// Transformer and text encoder are read from the disk into 8-bit floats, once for this machine, and come
// to the device while they are used, as far as they do not fit below the limit.
//
//     swift run klein-base-9b-low-vram ["what the image shows" [side in pixels ["what to change"]]]
import Flux2

let owner = "black-forest-labs/"
let arguments = CommandLine.arguments.dropFirst()
let prompt = arguments.first ?? "a red fox in the snow, photograph, soft morning light"
let side = arguments.dropFirst().first.flatMap(Int.init) ?? 1024
let change = arguments.dropFirst(2).first ?? "make it a watercolour on rough paper"

let device = Device.automatic().device
let storage = StageStorage.lowVRAM(device: device)
// On a GPU all memory but half a GiB; on the CPU what is free.
let limit =
    device.kind == .cpu
    ? nil : Double(try MemorySettings.automaticLimit(device)) / Double(1 << 30)

// What is not on this machine is fetched; see `flux2 download --help` for places and hubs.
let pipeline = try await Flux2ImagePipeline.fromPretrained(
    dtype: .bfloat16, device: device,
    modelConfigs: [
        ModelConfig(
            modelID: owner + "FLUX.2-klein-9B", originFilePattern: "text_encoder/*.safetensors",
            storage: storage),
        ModelConfig(
            modelID: owner + "FLUX.2-klein-base-9B", originFilePattern: "transformer/*.safetensors",
            storage: storage),
        ModelConfig(modelID: owner + "FLUX.2-klein-9B", originFilePattern: "vae/*.safetensors"),
    ],
    tokenizerConfig: ModelConfig(
        modelID: owner + "FLUX.2-klein-9B", originFilePattern: "tokenizer/"),
    vramLimit: limit,
    onDownload: { if case .finished(let path) = $0 { print(path) } })

let show: @Sendable (GenerationEvent) -> Void = { event in
    if case .planned(let plan) = event { plan.remarks.forEach { print($0) } }
    if case .denoised(let step, let count) = event { print("step \(step) of \(count)") }
}
let image = try await pipeline(
    prompt: prompt, cfgScale: 4, height: side, width: side, seed: 0, numInferenceSteps: 50,
    progressBarCmd: show)
try image.write(to: "klein-base-9b-low-vram.png", overwrite: true)
print("klein-base-9b-low-vram.png")

// The image becomes a reference of the next one.
let edited = try await pipeline(
    prompt: change, cfgScale: 4, editImage: [image], height: side, width: side, seed: 1,
    numInferenceSteps: 50, progressBarCmd: show)
try edited.write(to: "klein-base-9b-low-vram-edit.png", overwrite: true)
print("klein-base-9b-low-vram-edit.png")
