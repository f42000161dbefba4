public import ArgumentParser
import Files
import Flux2
public import FluxTraining
import Foundation
import Torch

struct Train: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model or a LoRA.",
        discussion: """
            Takes the arguments of DiffSynth-Studio's train.py for FLUX.2 unchanged, with underscores \
            or dashes; docs/training.md says what each does here, and what there is besides.
            """,
        subcommands: [TrainInit.self, TrainNew.self])

    @OptionGroup(title: "Data") var data: TrainDataOptions
    @OptionGroup(title: "Models") var models: TrainModelOptions
    @OptionGroup(title: "Method") var method: TrainMethodOptions
    @OptionGroup(title: "Optimization") var optimization: TrainOptimizationOptions
    @OptionGroup(title: "Output") var output: TrainOutputOptions
    @OptionGroup(title: "Looking") var inspection: TrainInspectionOptions
    @OptionGroup(title: "From DiffSynth-Studio") var foreign: TrainForeignOptions

    @Option(
        help: "What random numbers follow from; one that is drawn, and told, when absent or -1.")
    var seed: Seed?

    @Option(help: "sample: each sample has its own; torch: one after the other, as PyTorch draws.")
    var draws = DrawOrder.sample

    @Option(help: "auto, cpu, cuda, cuda:1, …; auto takes cuda where it answers.")
    var device = Placement.auto

    @Option(help: "The type that is computed in, and of what is trained.")
    var dtype = Precision.fixed(.bfloat16)

    @Option(help: "Processor threads; libtorch's own choice when absent.")
    var threads: Int?

    @OptionGroup var kernels: KernelOptions

    @Option(
        help: """
            A .yaml or .json file of options, which others on the command line win over; may be \
            repeated, and a later one wins.
            """)
    var config: [String] = []

    @Flag(help: "Say what would be trained, in what memory and time, and train nothing.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "No progress, no notices.")
    var quiet = false

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: quiet || !isFirst)
        let (device, dtype) = compute(report)
        try foreign.check(device, report)
        let settings = try settings(report)
        try settings.check()
        let files = try await models.files(report, textLength: data.textLength)
        if dryRun { return try forecast(settings, files, device, dtype, report) }
        if isFirst, !settings.task.encodesOnly { keepArguments(report) }
        let threads = threads
        let display = TrainingDisplay(report)
        let outcome = try await cancellingOnInterrupt(grace: .seconds(120)) {
            defer { display.finish() }
            let trainer = Trainer(
                settings, files, device: device, dtype: dtype, threads: threads)
            return try await trainer.run { display.show($0) }
        }
        if isFirst { tell(outcome, settings) }
    }

    /// Prints what the run would do and take; nothing is written, and no weight is read.
    private func forecast(
        _ settings: TrainingSettings, _ files: TrainingFiles, _ device: Device, _ dtype: DType,
        _ report: Reporter
    ) throws {
        guard isFirst else { return }
        if let threads { Runtime.threads = threads }
        try device.prepare()
        let display = TrainingDisplay(report)
        let plan = try TrainingPlan(
            settings, files, device: device, dtype: dtype,
            processes: DistributedEnvironment.read()?.size ?? 1, threads: threads
        ) { display.show($0) }
        display.finish()
        let rate = try MatmulRate.measure(device: device, dtype: dtype) * MatmulRate.shareOfStep
        print(
            TrainingPlanTable(
                plan: plan, device: device, free: try? device.memory().free, rate: rate
            ).text)
    }

    /// Whether this is the process that others leave the talking to.
    private var isFirst: Bool {
        ProcessInfo.processInfo.environment["RANK"].map { $0 == "0" } ?? true
    }

    private func compute(_ report: Reporter) -> (Device, DType) {
        kernels.apply()
        let (device, obstacle) = device.resolved()
        if let obstacle { report.notice("computing on \(device): \(obstacle)") }
        let (dtype, _) = dtype.resolved(on: device)
        guard device.kind == .cuda, device.index == nil,
            let local = ProcessInfo.processInfo.environment["LOCAL_RANK"].flatMap({ Int($0) })
        else { return (device, dtype) }
        return (Device(.cuda, index: local), dtype)
    }

    private func settings(_ report: Reporter) throws -> TrainingSettings {
        var settings = TrainingSettings()
        try method.apply(to: &settings)
        settings.method.weightsCheckpoint = models.resumeFromCheckpoint
        settings.data = try data.settings(method.task)
        settings.optimization = try optimization.settings(report)
        settings.output = output.settings(baseModel: models.model)
        settings.inspection = inspection.settings()
        settings.drawOrder = draws
        settings.streamsWeights = foreign.enableModelCpuOffload
        settings.seed = try seed?.value ?? drawnSeed(report)
        return settings
    }

    /// A run goes on with the seed that it began with. All processes of a group have to draw the same.
    private func drawnSeed(_ report: Reporter) throws -> UInt64 {
        if output.resume, let begun = try Trainer.seed(ofStateIn: output.outputPath) {
            return begun
        }
        if output.resume || ProcessInfo.processInfo.environment["WORLD_SIZE"] != nil { return 0 }
        let drawn = UInt64.random(in: 0..<1 << 31)
        report.notice("--seed \(drawn)")
        return drawn
    }

    /// What the run was asked for, as DiffSynth-Studio keeps it; a failure is only told.
    private func keepArguments(_ report: Reporter) {
        do {
            try Folder.make(output.outputPath)
            try AtomicFile.write(
                output.outputPath + "/training_args.json", bytes: TrainingArguments.json(self))
        } catch {
            report.warn("training_args.json is not written: \(error)")
        }
    }

    private func tell(_ outcome: Trainer.Outcome, _ settings: TrainingSettings) {
        guard let path = outcome.path else { return }
        if settings.task.encodesOnly {
            let stage = settings.task.distills ? "direct_distill:train" : "sft:train"
            print("\(path): train on it with --task \(stage) --dataset_base_path \(path)")
        } else {
            if outcome.isUnfinished { print("stopped; the same command with --resume goes on") }
            print(Usage.line(path, settings) ?? path)
        }
    }
}

extension DrawOrder: ExpressibleByArgument {}
