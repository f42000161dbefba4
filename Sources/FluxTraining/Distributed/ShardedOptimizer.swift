public import Torch

/// How much each process of a group holds for its own parameters only.
public enum ShardingStage: Int, Sendable, CaseIterable {
    /// What the optimizer keeps (ZeRO-1).
    case states = 1
    /// Gradients, too, once they have been averaged (ZeRO-2).
    case gradients = 2
}

/// An optimizer whose state is spread over the processes of a group.
///
/// Each process has an optimizer of its own for whole parameters, chosen by size, and the values
/// that it gives them go to all. All processes call `averageGradients`, `step`, `state` and
/// `restore` together:
///
///     let optimizer = try ShardedOptimizer(parameters, group: group, stage: .states) {
///         try AdamW($0)
///     }
///     try loss.backward()
///     try optimizer.averageGradients()
///     try optimizer.step(rate: 1e-4)
///
/// Values are those of one process bit for bit, given the same averaged gradients.
public final class ShardedOptimizer: Optimizer {
    public let parameters: [TrainableParameter]
    /// The parameters that this process looks after. Only they are sure to have gradients after
    /// `averageGradients` with `.gradients`; a norm over all is the sum over the processes.
    public let owned: [TrainableParameter]
    /// What is spread.
    public let stage: ShardingStage
    /// The optimizer of `owned`.
    public let own: any Optimizer
    let group: ProcessGroup
    private let shards: ParameterShards

    /// Shares parameters out; all processes give the same ones in the same order.
    ///
    /// - Parameter make: makes the optimizer of some of the parameters, possibly of none.
    public init(
        _ parameters: [TrainableParameter], group: ProcessGroup, stage: ShardingStage,
        make: ([TrainableParameter]) throws -> any Optimizer
    ) rethrows {
        self.parameters = parameters
        self.group = group
        self.stage = stage
        shards = ParameterShards(parameters, among: group.size)
        owned = shards.part(parameters, of: group.rank)
        own = try make(owned)
    }

    /// Replaces gradients by their means over all processes: everywhere, or with `.gradients` only
    /// where they are needed; elsewhere they are forgotten.
    ///
    /// - Throws: `DistributedError`, also for a parameter that has a gradient in some processes only.
    public func averageGradients() throws {
        let gradients = try group.commonGradients(of: parameters)
        guard stage == .gradients else { return try group.mean(gradients.compactMap { $0 }) }
        for rank in 0..<group.size {
            try group.mean(shards.part(gradients, of: rank).compactMap { $0 }, to: rank)
            guard rank != group.rank else { continue }
            for parameter in shards.part(parameters, of: rank) {
                try parameter.tensor.clearGradient()
            }
        }
    }

    public func step(rate: Double) throws {
        try own.step(rate: rate)
        for rank in 0..<group.size {
            try group.broadcast(shards.part(parameters, of: rank).map(\.tensor), from: rank)
        }
    }

    /// The state as one process without sharding has it, in the first process; elsewhere nothing.
    public func state() throws -> [String: Tensor] {
        let parts = try group.collect(own.state())
        return parts.reduce(into: [:]) { whole, part in
            // What is about no parameter, such as a count of steps, all have alike.
            whole.merge(part) { first, _ in first }
        }
    }

    /// Goes on from the state of any number of processes, of which each takes its part.
    public func restore(_ state: [String: Tensor]) throws {
        try own.restore(shards.part(state, of: group.rank))
    }

    /// The size of what this process keeps.
    public var stateByteCount: Int { own.stateByteCount }
}
