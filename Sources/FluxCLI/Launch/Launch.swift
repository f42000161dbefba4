import ArgumentParser
import Foundation
import Torch

struct Launch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command in several processes that work together.",
        usage: """
            flux2 launch --processes N [options] -- train ...
            flux2 launch --processes N --self-test
            """,
        discussion: """
            Each process gets the variables RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and \
            MASTER_PORT, as from torchrun, which can start flux2 as well. When one fails, all end, \
            with its exit code.
            """)

    @Option(
        name: [.customLong("processes"), .customLong("num-processes")],
        help: "Number of processes; with GPUs, one for each.")
    var processes: Int?

    @Option(help: "Port where they meet. Default: any that is free.")
    var masterPort: Int?

    @Option(
        help: """
            Threads of each process. Default: OMP_NUM_THREADS, else an equal share of the processors.
            """)
    var threadsPerProcess: Int?

    @Option(help: "File of accelerate, for num_processes and zero_stage.")
    var configFile: String?

    @Flag(help: "Test of the connections and their speed, instead of a command.")
    var selfTest = false

    @OptionGroup var result: ResultOptions

    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String] = []

    func validate() throws {
        guard command.isEmpty == selfTest else {
            throw ValidationError("give either a command after -- or --self-test")
        }
        guard command.first != "launch" else {
            throw ValidationError("launch cannot start itself")
        }
        guard !result.json || selfTest else {
            throw ValidationError("--json is for --self-test; give it to the command after --")
        }
    }

    func run() async throws {
        let file = try configFile.map { try AccelerateFile(path: $0) }
        if let remark = file?.remark { result.report.warn(remark) }
        // Which rank failed is no notice.
        let status = try await Launcher(plan(file), Reporter(quiet: false)).run()
        if status != 0 { throw ExitCode(status) }
    }

    private func plan(_ file: AccelerateFile?) throws -> LaunchPlan {
        guard let count = processes ?? file?.processes else {
            throw ValidationError("--processes is missing, and no --config-file names a number")
        }
        guard count == 1 || ProcessGroup.isAvailable else {
            throw ValidationError("this libtorch has no Gloo, so only --processes 1 is possible")
        }
        return try LaunchPlan(
            arguments: arguments(file), count: count,
            port: masterPort ?? file?.port ?? DistributedEnvironment.freePort(),
            threads: threads(count))
    }

    func arguments(_ file: AccelerateFile?) -> [String] {
        if selfTest { return [DistributedSelfTest.name] + result.arguments }
        guard let stage = file?.zeroStage, command.first == "train",
            !command.contains(where: { $0 == "--zero" || $0.hasPrefix("--zero=") })
        else { return command }
        return command + ["--zero", "\(stage)"]
    }

    /// nil leaves what the user has set.
    private func threads(_ count: Int) -> Int? {
        if let threadsPerProcess { return threadsPerProcess }
        guard ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] == nil else { return nil }
        return max(1, ProcessInfo.processInfo.activeProcessorCount / count)
    }
}

/// What is started, and with what.
struct LaunchPlan: Sendable {
    var arguments: [String]
    var count: Int
    var port: Int
    /// nil leaves the variable as it is.
    var threads: Int?

    /// The variables of one process.
    func environment(
        of rank: Int, besides own: [String: String] = ProcessInfo.processInfo.environment
    ) -> [String: String] {
        var all = own.filter { !$0.key.hasPrefix("TORCHELASTIC_") }
        let place = DistributedEnvironment(rank: rank, size: count, port: port)
        all.merge(place.variables) { $1 }
        all["LOCAL_WORLD_SIZE"] = "\(count)"
        all[ParentWatchdog.variable] =
            Launcher.outlivesTerminal ? ParentWatchdog.outlivesTerminal : "1"
        if let threads { all["OMP_NUM_THREADS"] = "\(threads)" }
        return all
    }
}
