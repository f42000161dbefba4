import ArgumentParser
import Flux2
import Torch

/// Options of DiffSynth-Studio's trainer that need nothing here, or cannot be honored.
struct DiffSynthCompatibilityOptions: ParsableArguments {
    @Flag(help: "Accepted; nothing here needs it.")
    var findUnusedParameters = false

    @Flag(help: "Accepted; weights are mapped from their files.")
    var initializeModelOnCpu = false

    @Flag(
        help:
            "Offload frozen weights, and prefetch them block by block; on the CPU they are mapped."
    )
    var enableModelCpuOffload = false

    @Flag(help: "Optimizer state in host memory; on the CPU it always is.")
    var enableOptimizerCpuOffload = false

    @Option(help: "Refused: weights move in units of blocks here.")
    var cpuOffloadSplitThreshold: Int?

    @Flag(help: "Refused: use --enable_tensorboard_log, which wandb sync reads.")
    var enableWandbLog = false

    @Option(help: .hidden) var wandbProject: String?

    @Flag(help: "Refused: use --enable_tensorboard_log, which swanlab convert reads.")
    var enableSwanlabLog = false

    @Option(help: .hidden) var swanlabProject: String?

    @Option(help: "Refused: template models are Python programs.")
    var templateModelIdOrPath: String?

    @Flag(help: "Refused: it belongs to template models.")
    var enableLoraHotLoading = false

    /// Refuses what cannot be done, and says what has no effect.
    func check(_ device: Device, _ report: Reporter) throws {
        for (isGiven, message) in [
            (
                enableWandbLog,
                "--enable_wandb_log: not written here; --enable_tensorboard_log writes files that "
                    + "'wandb sync' takes"
            ),
            (
                enableSwanlabLog,
                "--enable_swanlab_log: not written here; --enable_tensorboard_log writes files that "
                    + "'swanlab convert' takes"
            ),
            (
                templateModelIdOrPath != nil,
                "--template_model_id_or_path: template models are Python programs, which do not run "
                    + "here"
            ),
            (
                enableLoraHotLoading,
                "--enable_lora_hot_loading: it belongs to template models, which do not run here"
            ),
            (
                cpuOffloadSplitThreshold != nil,
                "--cpu_offload_split_threshold: weights move in units of blocks here; leave it out"
            ),
            (
                enableOptimizerCpuOffload && device.kind != .cpu,
                "--enable_optimizer_cpu_offload: on \(device) the optimizer's state stays on the "
                    + "device; --optimizer adam8bit and --zero make it smaller"
            ),
        ] where isGiven { throw ValidationError(message) }
        if findUnusedParameters {
            report.notice("--find_unused_parameters: nothing here needs it")
        }
        if initializeModelOnCpu {
            report.notice("--initialize_model_on_cpu: weights are mapped from their files anyway")
        }
        if enableModelCpuOffload, device.kind == .cpu {
            report.notice("--enable_model_cpu_offload: on the processor weights are mapped anyway")
        }
    }
}
