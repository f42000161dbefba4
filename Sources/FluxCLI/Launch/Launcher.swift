import Foundation
import Synchronization

/// Starts processes, passes signals on to them, and ends all when one fails.
final class Launcher: Sendable {
    /// Between asking processes to end and ending them.
    private static let patience: Duration = .seconds(10)

    private struct State {
        var running: [Int: LaunchedProcess] = [:]
        var isInterrupted = false
        var failure: Int32?
    }

    /// Whether it was started by `nohup`, or in another way that has it ignore the terminal's end.
    static let outlivesTerminal = Interrupts.isIgnored(SIGHUP)

    private let plan: LaunchPlan
    private let report: Reporter
    private let state = Mutex(State())
    /// Its end for writing is never written to; that it closes tells processes that this one is gone.
    private let lifeline = Pipe()

    init(_ plan: LaunchPlan, _ report: Reporter) {
        self.plan = plan
        self.report = report
    }

    /// - Returns: 0, or the status of the first process that failed.
    func run() async throws -> Int32 {
        let (ends, told) = AsyncStream.makeStream(of: (rank: Int, status: Int32).self)
        let sources = ([SIGINT, SIGTERM] + (Self.outlivesTerminal ? [] : [SIGHUP])).map(passOn)
        defer { sources.forEach { $0.cancel() } }
        do {
            for rank in 0..<plan.count {
                let process = try LaunchedProcess(
                    rank: rank, plan: plan, input: lifeline.fileHandleForReading
                ) { told.yield(($0, $1)) }
                state.withLock { $0.running[rank] = process }
            }
        } catch {
            // The process that could not be started will not be missed by anybody else.
            endAll(with: SIGKILL)
            throw error
        }
        return await wait(for: ends)
    }

    private func wait(for ends: AsyncStream<(rank: Int, status: Int32)>) async -> Int32 {
        var left = plan.count
        for await (rank, status) in ends {
            state.withLock { $0.running.removeValue(forKey: rank) }?.waitForOutput()
            left -= 1
            if status != 0 { failed(rank, status) }
            if left == 0 { break }
        }
        return state.withLock { $0.failure } ?? 0
    }

    /// Processes that were told to end end in their own time: they may have something to save.
    private func failed(_ rank: Int, _ status: Int32) {
        let isFirst = state.withLock { state in
            defer { state.failure = state.failure ?? status }
            return state.failure == nil && !state.isInterrupted
        }
        guard isFirst else { return }
        let how =
            status > 128 ? "was ended by signal \(status - 128)" : "failed with status \(status)"
        report.notice(
            "launch: rank \(rank) of \(plan.count) \(how)"
                + (plan.count > 1 ? "; ending the others" : ""))
        endAll(with: SIGTERM)
        Task {
            try? await Task.sleep(for: Self.patience)
            endAll(with: SIGKILL)
        }
    }

    private func endAll(with signal: Int32) {
        for process in state.withLock({ $0.running.values }) { process.send(signal) }
    }

    private func passOn(_ number: Int32) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { [self] in
            state.withLock { $0.isInterrupted = true }
            endAll(with: number)
        }
        source.resume()
        return source
    }
}
