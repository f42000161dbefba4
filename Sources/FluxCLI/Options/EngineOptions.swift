import ArgumentParser
import Flux2
import Torch

/// On what, and with which memory, images are made.
struct EngineOptions: ParsableArguments {
    @OptionGroup(title: "Computation") var compute: ComputeOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    /// What is meant on this machine; says what was chosen without being asked for.
    func resolved(_ report: Reporter) throws -> EngineSettings {
        let (device, dtype) = compute.resolved(report)
        return EngineSettings(
            device: device, dtype: dtype, threads: compute.processor.threads,
            memory: try memory.settings(device, dtype, report),
            promptCache: compute.noPromptCache ? nil : .standard(),
            weightCache: memory.noWeightCache ? nil : .standard())
    }
}

/// What an engine is made with, besides the model.
struct EngineSettings {
    var device: Device
    var dtype: DType
    var threads: Int?
    var memory: MemorySettings
    var promptCache: PromptCache?
    var weightCache: WeightCache?

    func engine(_ files: ModelFiles) -> Engine {
        Engine(
            files, device: device, dtype: dtype, threads: threads, promptCache: promptCache,
            memory: memory, weightCache: weightCache)
    }
}
