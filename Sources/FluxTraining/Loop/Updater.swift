internal import Torch

/// Turns gradients into changed weights: means over processes, limits, the optimizer, averages.
final class Updater {
    let weights: TrainableWeights
    let optimizer: any Optimizer
    let average: ExponentialMovingAverage?
    private let schedule: RateSchedule
    private let clippedNorm: Double?
    private let group: ProcessGroup
    /// Updates so far.
    var updates = 0

    init(
        _ settings: OptimizationSettings, _ weights: TrainableWeights, updates: Int, seed: UInt64,
        group: ProcessGroup
    ) throws {
        self.weights = weights
        self.group = group
        clippedNorm = settings.clippedNorm.flatMap { $0 == 0 ? nil : $0 }
        func make(_ parameters: [TrainableParameter]) throws -> any Optimizer {
            try settings.optimizer.optimizer(
                of: parameters, weightDecay: settings.weightDecay,
                masterWeights: settings.masterWeights,
                seed: SeedSequence.seed(seed, 4))
        }
        optimizer =
            if let stage = settings.sharding, group.size > 1 {
                try ShardedOptimizer(weights.parameters, group: group, stage: stage, make: make)
            } else {
                try make(weights.parameters)
            }
        average = try settings.averageDecay.map {
            try ExponentialMovingAverage(of: weights.parameters, decay: $0)
        }
        schedule = RateSchedule(
            settings.schedule ?? .diffsynth(processes: group.size), rate: settings.learningRate,
            warmup: settings.warmup, updates: updates)
    }

    /// Makes an update with the gradients that are there, and forgets them.
    ///
    /// - Returns: the learning rate, and the norm of the gradients before clipping.
    /// - Throws: `OptimizerError` naming a parameter whose gradient is not finite.
    func update() throws -> (rate: Double, norm: Double) {
        try withoutGradients {
            let norm = try averagedNorm()
            let rate = schedule.rate(ofUpdate: updates)
            try optimizer.step(rate: rate)
            try optimizer.zeroGradients()
            try average?.update()
            updates += 1
            return (rate, norm)
        }
    }

    /// - Returns: the norm of the averaged gradients, before they are made smaller.
    private func averagedNorm() throws -> Double {
        let all = weights.parameters
        if let sharded = optimizer as? ShardedOptimizer {
            try sharded.averageGradients()
            let norm =
                try clippedNorm.map { try sharded.clipGradients(toNorm: $0) }
                ?? sharded.gradientNorm()
            try GradientGuard.check(sharded.owned, norm: norm)
            guard norm.isFinite else {
                // Another process knows which parameter it is.
                throw OptimizerError(key: "another process", reason: .gradientNotFinite)
            }
            return norm
        }
        if group.size > 1 { try group.averageGradients(of: all) }
        let norm =
            try clippedNorm.map { try clipGradients(of: all, toNorm: $0) }
            ?? GradientGuard.norm(of: all)
        try GradientGuard.check(all, norm: norm)
        return norm
    }

    // MARK: Resuming

    /// All that later updates depend on, besides the weights.
    func state() throws -> [String: Tensor] {
        var state = try optimizer.state().mapKeys { "optimizer." + $0 }
        if let average {
            try state.merge(average.state().mapKeys { "average." + $0 }) { a, _ in a }
        }
        return state
    }

    func restore(_ state: [String: Tensor], updates: Int) throws {
        try optimizer.restore(state.part("optimizer."))
        try average?.restore(state.part("average."))
        self.updates = updates
    }
}

extension Dictionary where Key == String {
    func mapKeys(_ rename: (String) -> String) -> [String: Value] {
        Dictionary(map { (rename($0.key), $0.value) }) { first, _ in first }
    }

    /// What has a prefix, without it.
    func part(_ prefix: String) -> [String: Value] {
        filter { $0.key.hasPrefix(prefix) }.mapKeys { String($0.dropFirst(prefix.count)) }
    }
}
