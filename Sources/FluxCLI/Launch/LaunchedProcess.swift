import Foundation

/// One of the processes that a launcher has started.
final class LaunchedProcess: Sendable {
    let rank: Int
    private let process: Process
    /// Signalled when all that the process wrote has been passed on.
    private let relayed = DispatchGroup()

    /// Starts this program anew.
    ///
    /// - Parameters:
    ///   - input: what the process reads; it ends when this does.
    ///   - ended: called with the exit status when the process has ended, 128 and more for a signal.
    init(
        rank: Int, plan: LaunchPlan, input: FileHandle,
        ended: @escaping @Sendable (_ rank: Int, _ status: Int32) -> Void
    ) throws {
        self.rank = rank
        process = Process()
        process.executableURL = Bundle.main.executableURL
        process.arguments = plan.arguments
        process.environment = plan.environment(of: rank)
        process.standardInput = input
        process.terminationHandler = { process in
            let bySignal = process.terminationReason == .uncaughtSignal
            ended(rank, process.terminationStatus + (bySignal ? 128 : 0))
        }
        // What the first one prints is what the program prints.
        let pipe = rank == 0 ? nil : Pipe()
        if let pipe {
            process.standardOutput = pipe.fileHandleForWriting
            process.standardError = pipe.fileHandleForWriting
        }
        try process.run()
        if let pipe {
            try? pipe.fileHandleForWriting.close()
            relay(pipe.fileHandleForReading)
        }
    }

    /// Sends a signal, unless the process has ended.
    func send(_ signal: Int32) {
        if process.isRunning { kill(process.processIdentifier, signal) }
    }

    /// Waits until what it wrote has been passed on, but not for those that it may have started.
    func waitForOutput() { _ = relayed.wait(timeout: .now() + 1) }

    /// Passes whole lines on to standard error, with the rank before each.
    private func relay(_ handle: FileHandle) {
        let mark = Data("[rank \(rank)] ".utf8)
        relayed.enter()
        Thread { [relayed] in
            var rest = Data()
            while let data = try? handle.read(upToCount: 1 << 16), !data.isEmpty {
                rest.append(data)
                guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
                Self.write(rest[...end], mark)
                rest = Data(rest[(end + 1)...])
            }
            if !rest.isEmpty { Self.write(rest + Data("\n".utf8), mark) }
            relayed.leave()
        }.start()
    }

    private static func write(_ lines: Data, _ mark: Data) {
        let marked = lines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .dropLast().map { mark + $0 + Data("\n".utf8) }
        // Where nobody can be told anything, the work still goes on.
        try? FileHandle.standardError.write(contentsOf: Data(marked.joined()))
    }
}
