import ArgumentParser
import Domains
import FluxTraining
internal import Torch

/// How weights are changed.
struct TrainOptimizationOptions: ParsableArguments {
    @Option(help: "Learning rate.")
    var learningRate = 1e-4

    @Option(help: "Weight decay, as a share of the learning rate.")
    var weightDecay = 0.01

    @Option(help: "Epochs: passes through all samples.")
    var numEpochs = 1

    @Option(help: "Micro-batches of an update.")
    var gradientAccumulationSteps = 1

    @Option(help: "Optimizer: adamw, adam, sgd, adam8bit, adafactor or muon. Default: adamw.")
    var optimizer: String?

    @Option(help: "Optimizer by its Python import path, such as torch.optim.AdamW.")
    var customizedOptimizer: String?

    @Option(
        help: """
            Learning rate schedule: diffsynth (a third for five updates), constant, linear, cosine, \
            cosine_with_restarts or polynomial.
            """)
    var lrScheduler = "diffsynth"

    @Option(help: "Warmup: updates in which the learning rate grows from 0.")
    var lrWarmupSteps = 0

    @Option(help: "Gradient clipping: the largest norm. Default, and at 0: none.")
    var maxGradNorm: Double?

    @Option(
        help: """
            Master weights, for small changes of bfloat16 ones: none, fp32, stochastic or kahan.
            """)
    var masterWeights = "none"

    @Option(help: "Decay of the EMA of weights, which checkpoints then hold.")
    var emaDecay: Double?

    @Option(help: "ZeRO stage: 1 shards optimizer state over processes, 2 gradients as well.")
    var zero: Int?

    @Option(help: "Limit of the run: steps (100), seconds (90s), minutes (30m) or hours (2h).")
    var stopAfter: String?

    func settings(_ report: Reporter) throws -> OptimizationSettings {
        var settings = OptimizationSettings()
        guard optimizer == nil || customizedOptimizer == nil else {
            throw ValidationError("--optimizer and --customized_optimizer exclude each other")
        }
        settings.optimizer =
            try (optimizer ?? customizedOptimizer).map(OptimizerKind.init(name:)) ?? .adamw
        settings.learningRate = learningRate
        settings.weightDecay = weightDecay
        settings.epochs = numEpochs
        settings.accumulation = gradientAccumulationSteps
        settings.schedule = try schedule()
        settings.warmup = lrWarmupSteps
        settings.clippedNorm = maxGradNorm
        guard let masterWeights = MasterWeights(name: masterWeights) else {
            throw ValidationError(
                "--master_weights must be none, fp32, stochastic or kahan, not '\(masterWeights)'")
        }
        settings.masterWeights = masterWeights
        settings.averageDecay = emaDecay
        settings.sharding = zero.flatMap(ShardingStage.init(rawValue:))
        (settings.stopAfterSteps, settings.stopAfterSeconds) = try limits()
        return settings
    }

    private func schedule() throws -> RateSchedule.Shape? {
        switch lrScheduler {
        case "diffsynth":
            guard lrWarmupSteps == 0 else {
                throw ValidationError("--lr_warmup_steps needs another --lr_scheduler")
            }
            return nil
        case "constant", "constant_with_warmup": return .constant
        case "linear": return .linear
        case "cosine": return .cosine(floor: 0)
        case "cosine_with_restarts": return .cosineWithRestarts(cycles: 3)
        case "polynomial": return .polynomial(power: 1, floor: 0)
        default:
            throw ValidationError(
                "--lr_scheduler must be diffsynth, constant, linear, cosine, cosine_with_restarts or "
                    + "polynomial, not '\(lrScheduler)'")
        }
    }

    private func limits() throws -> (steps: Int?, seconds: Double?) {
        guard let stopAfter else { return (nil, nil) }
        if let steps = Int(stopAfter), NumericSetting.stopAfterSteps.domain.contains(steps) {
            return (steps, nil)
        }
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = stopAfter.last.flatMap({ units[$0] }),
            let count = Double(stopAfter.dropLast()),
            NumericSetting.stopAfterSeconds.domain.contains(count * unit)
        else {
            throw ValidationError(
                "--stop_after must be a number of steps up to a billion, or 90s, 30m, 2h, not "
                    + "'\(stopAfter)'")
        }
        return (nil, count * unit)
    }
}
