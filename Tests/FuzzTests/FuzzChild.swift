import FileSupport
import Foundation
import TestSupport

/// The process that reads inputs, and how it ends.
enum FuzzChild {
    struct Failure {
        var seed: Int
        var what: String
    }

    /// What of the processor one input may take.
    private static let mostSeconds = 5
    /// Beside three times the file.
    private static let mostBytes = 200 << 20

    // MARK: The test's side

    /// - Returns: the first input that was not read or refused as it should be; nil where all were.
    static func run(_ reader: String, seeds: Range<Int>, _ folder: String) throws -> Failure? {
        let log = folder + "/log"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = [
            "--testing-library", "swift-testing", "--filter", "FuzzTests/inThisProcess",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging([
            "FLUX2_FUZZ_TASK": "\(seeds.lowerBound):\(seeds.upperBound):\(reader)",
            "FLUX2_FUZZ_FOLDER": folder, "SWIFT_BACKTRACE": "enable=no", "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        ]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try? FileManager.default.removeItem(atPath: log)
        try process.run()
        process.waitUntilExit()
        let words =
            (try? String(contentsOfFile: log, encoding: .utf8))?
            .split(separator: "\n").map(String.init) ?? []
        if words.last == "done" { return nil }
        let seed = words.first.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        let end = process.terminationReason == .uncaughtSignal ? "signal" : "status"
        return Failure(
            seed: seed ?? seeds.upperBound,
            what: words.count > 1 ? words[1] : "\(end) \(process.terminationStatus)")
    }

    // MARK: The child's side

    /// - Parameter task: `first:end:reader`.
    static func work(_ task: String) throws {
        let parts = task.split(separator: ":", maxSplits: 2).map(String.init)
        guard parts.count == 3, let first = Int(parts[0]), let end = Int(parts[1]),
            let reader = FuzzReader.all.first(where: { $0.name == parts[2] })
        else { return }
        let home = ProcessInfo.processInfo.environment["FLUX2_FUZZ_FOLDER"] ?? "."
        let log = open(home + "/log", O_WRONLY | O_CREAT, 0o600)
        let folder = home + "/files"
        try? FileManager.default.removeItem(atPath: folder)
        try Folder.make(folder)
        try reader.prepare(folder)
        let path = folder + "/" + reader.file
        try Folder.make(for: path)
        let bases = try reader.bases()
        for seed in first..<end {
            note("\(seed)", log)
            var mutation = Mutation(seed)
            let base = bases[seed % bases.count]
            let bytes = reader.form.changed(base, &mutation)
            try put(bytes, path)
            if let what = outcome(reader, path, bytes.count) {
                finish(what, log)
            }
        }
        finish("done", log)
    }

    /// What is wrong with how an input was read.
    private static func outcome(_ reader: FuzzReader, _ path: String, _ size: Int) -> String? {
        let before = peakMemory()
        limit(seconds: mostSeconds)
        defer { limit(seconds: 0) }
        do {
            try reader.read(path)
        } catch let unsound as Unsound {
            return "accepted: " + unsound.what
        } catch {
            let text = "\(error)"
            if text.isEmpty { return "an error without a word" }
        }
        let taken = peakMemory() - before
        return taken > 3 * size + mostBytes ? "took \(taken >> 20) MB" : nil
    }

    private static func put(_ bytes: [UInt8], _ path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        try bytes.withUnsafeBytes { try AtomicFile.append($0, to: file, of: path) }
    }

    private static func note(_ text: String, _ log: Int32) {
        let line = Array(text.padding(toLength: 12, withPad: " ", startingAt: 0).utf8) + [0x0A]
        _ = line.withUnsafeBytes { pwrite(log, $0.baseAddress, $0.count, 0) }
    }

    private static func finish(_ word: String, _ log: Int32) -> Never {
        let line = Array((word + "\n").utf8)
        _ = line.withUnsafeBytes { pwrite(log, $0.baseAddress, $0.count, 13) }
        _exit(0)
    }

    /// A signal ends the process when it has computed for so long.
    private static func limit(seconds: Int) {
        var timer = itimerval()
        timer.it_value.tv_sec = seconds
        #if os(Linux)
            setitimer(__itimer_which_t(2), &timer, nil)
        #else
            setitimer(ITIMER_PROF, &timer, nil)
        #endif
    }

    private static func peakMemory() -> Int {
        var usage = rusage()
        #if os(Linux)
            getrusage(__rusage_who_t(0), &usage)
            return usage.ru_maxrss << 10
        #else
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }
}
