public import ArgumentParser
import FileSupport
import Flux2
public import FluxTraining
import Foundation
import Torch

struct Train: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model or a LoRA.",
        discussion: """
            Takes the arguments of DiffSynth-Studio's train.py for FLUX.2 unchanged, with underscores \
            or dashes. docs/training.md explains each.

            Examples:
              flux2 train init klein-base-4b photos -o photos.yaml
              flux2 train --config photos.yaml --dry-run
              flux2 train --config photos.yaml
              flux2 train --config photos.yaml --resume
            """,
        subcommands: [TrainInit.self, TrainNew.self])

    @OptionGroup(title: "Data") var data: TrainDataOptions
    @OptionGroup(title: "Models") var models: TrainModelOptions
    @OptionGroup(title: "Method") var method: TrainMethodOptions
    @OptionGroup(title: "Optimization") var optimization: TrainOptimizationOptions
    @OptionGroup(title: "Output") var output: TrainOutputOptions
    @OptionGroup(title: "Validation and sample images") var validation: TrainValidationOptions
    @OptionGroup(title: "From DiffSynth-Studio") var foreign: DiffSynthCompatibilityOptions

    @Option(
        help: "Seed of all random numbers. -1, or none given, draws one and prints it.")
    var seed: Seed?

    @Option(help: "Order of random numbers: sample has them by sample, torch in a row as PyTorch.")
    var draws = RandomOrder.sample

    @Option(help: "Device: auto, cpu, cuda, cuda:1, …; auto takes cuda where it works.")
    var device = DeviceChoice.auto

    @Option(
        help: """
            Type to compute in, and of what is trained; auto takes bfloat16 where it is native.
            """)
    var dtype = DTypeChoice.auto

    @Option(help: "Processor threads. Default: libtorch's choice.")
    var threads: Int?

    @OptionGroup var kernels: KernelOptions

    @Option(
        help: """
            File of options, .yaml or .json; may be repeated. The command line wins over files, and \
            later files win.
            """, completion: .file())
    var config: [String] = []

    @Flag(help: "Plan of memory and time; nothing is trained.")
    var dryRun = false

    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints of a run.
    private struct Summary: Encodable {
        /// The last checkpoint, or the folder of encoded samples.
        var output: String?
        var steps: Int
        /// Whether `--resume` has something left to do.
        var isUnfinished: Bool

        init(_ outcome: Trainer.Outcome) {
            (output, steps) = (outcome.path, outcome.steps)
            isUnfinished = outcome.isUnfinished
        }
    }

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: result.quiet || !isFirst)
        let (device, dtype) = compute(report)
        try foreign.check(device, report)
        var settings = try settings(report)
        try settings.check()
        if isFirst { try checkOutput(settings) }
        let files = try await models.files(report, textLength: data.textLength, fetches: !dryRun)
        if dryRun { return try estimate(settings, files, device, dtype, report) }
        if !settings.task.encodesOnly {
            settings.output.arguments = try TrainingArguments.json(self)
        }
        settings.validation.metadata = sampleMetadata(files, device, dtype)
        let outcome = try await outcome(settings, files, device, dtype, report)
        if isFirst { try tell(outcome, settings, report) }
    }

    private func outcome(
        _ settings: TrainingSettings, _ files: TrainingFiles, _ device: Device, _ dtype: DType,
        _ report: Reporter
    ) async throws -> Trainer.Outcome {
        // With nobody left to tell, there is still something to save.
        signal(SIGPIPE, SIG_IGN)
        let threads = threads
        let display = TrainingDisplay(report)
        do {
            return try await cancellingOnInterrupt(grace: .seconds(120)) {
                defer { display.finish() }
                let trainer = Trainer(
                    settings, files, device: device, dtype: dtype, threads: threads)
                return try await trainer.run { display.show($0) }
            }
        } catch let code as ExitCode {
            report.notice(wayOn(settings))
            throw code
        }
    }

    /// What to do after a run was ended from outside.
    private func wayOn(_ settings: TrainingSettings) -> String {
        guard !settings.task.encodesOnly else { return "stopped; the same command goes on" }
        guard let step = Trainer.step(ofStateIn: settings.output.folder) else {
            return settings.output.keepsState
                ? "stopped before the first update; nothing is kept"
                : "stopped; no state is kept, as --no-keep-state says"
        }
        return "stopped; the same command with --resume goes on after step \(step)"
    }

    /// Finds out early whether there is a place for what is trained.
    private func checkOutput(_ settings: TrainingSettings) throws {
        guard !output.resume || !output.force else {
            throw ValidationError(
                "--resume goes on with the training in --output_path, --force replaces it; give one"
            )
        }
        if dryRun {
            try Folder.checkWritable(settings.output.folder)
        } else {
            try settings.checkOutput()
        }
    }

    /// The settings that images of a training carry, as those of `flux2 generate` do.
    private func sampleMetadata(
        _ files: TrainingFiles, _ device: Device, _ dtype: DType
    ) -> @Sendable (GenerationRequest, Int) -> [String: String] {
        let model = models.model ?? files.weights[.transformer]?.first ?? ""
        return { request, step in
            var settings = GenerationMetadata(
                request, model: model, dtype: dtype, device: device, weights: files.storage)
            settings.trainingStep = step
            return (try? settings.metadata()) ?? [:]
        }
    }

    /// Prints what the run would do and take; nothing is written, and no weight is read.
    private func estimate(
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
        let table = TrainingPlanTable(
            plan: plan, device: device, free: try? device.memory().free, rate: rate)
        try result.show(table.summary, report, table.text)
    }

    /// Whether this is the process that others leave the talking to.
    private var isFirst: Bool {
        ProcessInfo.processInfo.environment["RANK"].map { $0 == "0" } ?? true
    }

    private func compute(_ report: Reporter) -> (Device, DType) {
        kernels.apply()
        let (device, obstacle) = device.resolved()
        if let obstacle { report.notice("computing on \(device): \(obstacle)") }
        let (dtype, reason) = dtype.resolved(on: device)
        if let reason { report.notice("computing in \(dtype.name): \(reason)") }
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
        settings.validation = validation.settings()
        settings.drawOrder = draws
        settings.streamsWeights = foreign.enableModelCpuOffload
        settings.seed = seed?.value ?? drawnSeed(report)
        return settings
    }

    /// A run goes on with the seed that it began with. All processes of a group have to draw the same.
    private func drawnSeed(_ report: Reporter) -> UInt64 {
        if output.resume, let begun = Trainer.seed(ofStateIn: output.outputPath) {
            return begun
        }
        if output.resume || ProcessInfo.processInfo.environment["WORLD_SIZE"] != nil { return 0 }
        let drawn = UInt64.random(in: 0..<1 << 31)
        report.notice("--seed \(drawn)")
        return drawn
    }

    private func tell(
        _ outcome: Trainer.Outcome, _ settings: TrainingSettings, _ report: Reporter
    ) throws {
        guard let path = outcome.path else { return }
        if result.json {
            return print(try JSON.line(Summary(outcome), warnings: report.warnings))
        }
        if settings.task.encodesOnly {
            let stage = settings.task.distills ? "direct_distill:train" : "sft:train"
            print("\(path): train on it with --task \(stage) --dataset_base_path \(path)")
        } else {
            if outcome.isUnfinished { print("stopped; the same command with --resume goes on") }
            print(Usage.line(path, settings) ?? path)
        }
    }
}

extension RandomOrder: ExpressibleByArgument {}
