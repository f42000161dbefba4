import Foundation
import Synchronization
import Torch

/// Runs `body` as each of a group's processes, on threads of this one; they meet as processes do.
///
/// - Returns: what each gave, in their order.
public func withRanks<R: Sendable>(
    _ size: Int, timeout: Duration = .seconds(60),
    _ body: @escaping @Sendable (ProcessGroup) throws -> R
) throws -> [R] {
    let port = try DistributedEnvironment.freePort()
    let outcomes = Outcomes<R>()
    let done = DispatchGroup()
    for rank in 0..<size {
        done.enter()
        Thread {
            let environment = DistributedEnvironment(rank: rank, size: size, port: port)
            let outcome = Result { try body(ProcessGroup(environment, timeout: timeout)) }
            outcomes.byRank.withLock { $0[rank] = outcome }
            done.leave()
        }.start()
    }
    done.wait()
    return try outcomes.byRank.withLock { all in
        try (0..<size).compactMap { try all[$0]?.get() }
    }
}

private final class Outcomes<R: Sendable>: Sendable {
    let byRank = Mutex([Int: Result<R, any Error>]())
}
