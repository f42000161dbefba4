import Foundation
import TestSupport
import Testing
import Torch

@testable import FluxCLI

extension CommandLineTests {
    @Suite("flux2 launch", .serialized, .enabled(if: ProcessGroup.isAvailable))
    struct Launching {
        /// Processes that exchange numbers until something ends them.
        private static let endless = [
            "check-group", "--timeout", "300", "--megabytes", "1", "--rounds", "100000000",
        ]

        @Test(arguments: [2, 3]) func processesReachEachOther(count: Int) throws {
            let outcome = try Program.run(["launch", "--processes", "\(count)", "--self-test"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.filter { $0.hasSuffix(" right") }.count == 7, "\(outcome.output)")
            #expect(lines.contains { $0.hasPrefix("speed ") && $0.contains("bfloat16 64 MB") })
        }

        @Test func errorsNameTheirRankAndGiveTheStatus() throws {
            let outcome = try Program.run([
                "launch", "--num_processes", "2", "--threads-per-process", "1", "--", "generate",
                "a cat", "--model", "/no/such/model",
            ])
            #expect(outcome.status == 1)
            // Which one is first is chance; the other may be ended before it says anything.
            #expect(outcome.errors.contains("/no/such/model"))
            #expect(outcome.errors.contains("of 2 failed with status 1; ending the others"))
            for line in outcome.errors.split(separator: "\n") {
                #expect(!line.contains("[rank 0]"))
            }
        }

        @Test func whatOtherRanksWriteIsMarked() throws {
            let outcome = try Program.run([
                "launch", "--processes", "2", "--threads-per-process", "1", "--", "doctor",
            ])
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("flux2 ") && outcome.output.contains(", 1 threads"))
            #expect(outcome.errors.contains("[rank 1] flux2 "))
            #expect(!outcome.errors.contains("[rank 0]") && !outcome.output.contains("[rank"))
        }

        /// Without a launcher that would end them, as on several machines.
        @Test func ranksNoticeThatOneWasKilled() throws {
            let port = try DistributedEnvironment.freePort()
            let ranks = try (0..<3).map { rank in
                try Program.start(
                    Self.endless,
                    environment: DistributedEnvironment(rank: rank, size: 3, port: port)
                        .variables.merging(["OMP_NUM_THREADS": "1"]) { $1 })
            }
            try waitUntil(300) { ranks[0].errors.contains("measuring") }
            let killed = Date()
            ranks[1].kill()
            for rank in [0, 2] {
                let outcome = try ranks[rank].finish()
                #expect(outcome.status == 1)
                #expect(
                    outcome.errors.contains("Error: all-reduce failed on rank \(rank) of 3"),
                    "\(outcome.errors)")
                #expect(outcome.errors.contains("within 300 s"))
            }
            // By the connection that closed, not by the time that was set.
            #expect(Date().timeIntervalSince(killed) < 250)
            _ = try ranks[1].finish()
        }

        @Test func ranksNoticeThatOneHangs() throws {
            let port = try DistributedEnvironment.freePort()
            let arguments = Self.endless.map { $0 == "300" ? "10" : $0 }
            let ranks = try (0..<2).map { rank in
                try Program.start(
                    arguments,
                    environment: DistributedEnvironment(rank: rank, size: 2, port: port).variables)
            }
            try waitUntil(300) { ranks[0].errors.contains("measuring") }
            kill(ranks[1].identifier, SIGSTOP)
            let stopped = Date()
            let outcome = try ranks[0].finish()
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("within 10 s"), "\(outcome.errors)")
            #expect((1..<250).contains(Date().timeIntervalSince(stopped)))
            ranks[1].kill()
            _ = try ranks[1].finish()
        }

        /// A process that is stuck gets ten seconds.
        @Test(.slow)
        func aStuckRankIsEnded() throws {
            let running = try start(2)
            let children = children(of: running.identifier)
            let stuck = try #require(children.first { rank(of: $0) == 1 })
            let victim = try #require(children.first { rank(of: $0) == 0 })
            kill(stuck, SIGSTOP)
            kill(victim, SIGKILL)
            let begun = Date()
            let outcome = try running.finish()
            #expect(outcome.status == 128 + SIGKILL)
            #expect((9..<250).contains(Date().timeIntervalSince(begun)))
            #expect(!isAlive(stuck))
        }

        @Test(arguments: [0, 1]) func aKilledRankEndsAll(rank: Int) throws {
            let running = try start(2)
            let children = children(of: running.identifier)
            let victim = try #require(children.first { self.rank(of: $0) == rank })
            kill(victim, SIGKILL)
            let outcome = try running.finish()
            #expect(outcome.status == 128 + SIGKILL)
            #expect(
                outcome.errors.contains(
                    "rank \(rank) of 2 was ended by signal 9; ending the others"),
                "\(outcome.errors)")
            #expect(children.allSatisfy { !isAlive($0) })
        }

        @Test func aKilledLauncherLeavesNothing() throws {
            let running = try start(3)
            let children = children(of: running.identifier)
            #expect(children.count == 3)
            running.kill()
            _ = try running.finish()
            try waitUntil(120) { children.allSatisfy { !isAlive($0) } }
            #expect(children.allSatisfy { !isAlive($0) })
        }

        @Test(arguments: [SIGINT, SIGTERM]) func signalsReachAll(signal: Int32) throws {
            let running = try start(2)
            let children = children(of: running.identifier)
            kill(running.identifier, signal)
            let outcome = try running.finish()
            #expect(outcome.status == 128 + signal, "\(outcome.errors)")
            #expect(!outcome.errors.contains("ending the others"))
            #expect(children.allSatisfy { !isAlive($0) })
        }

        @Test(arguments: [
            (["--processes", "2"], "either a command after -- or --self-test"),
            (["--processes", "0", "--self-test"], "--processes must be an integer from 1 to 1024"),
            (["--self-test"], "--processes is missing"),
            (["--processes", "2", "--", "launch"], "cannot start itself"),
            (["--config_file", "/no/such", "--self-test"], "/no/such: cannot be read"),
        ])
        func refusesInOneLine(arguments: [String], words: String) throws {
            let outcome = try Program.run(["launch"] + arguments)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }

        @Test func variablesThatContradictAreAnError() throws {
            let outcome = try Program.run(["check-group"], environment: ["RANK": "0"])
            #expect(outcome.errors.contains("Error: WORLD_SIZE: is not set"))
        }

        private func start(_ count: Int) throws -> Program.Running {
            let running = try Program.start(
                ["launch", "--processes", "\(count)", "--threads-per-process", "1", "--"]
                    + Self.endless)
            try waitUntil(300) { running.errors.contains("measuring") || !running.isRunning }
            return running
        }

        private func waitUntil(_ seconds: Double, _ isDone: () -> Bool) throws {
            let deadline = Date().addingTimeInterval(seconds)
            while !isDone() && Date() < deadline { Thread.sleep(forTimeInterval: 0.05) }
            #expect(isDone(), "nothing within \(seconds) s")
        }

        private func children(of parent: Int32) -> [Int32] {
            let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return all.compactMap { Int32($0) }.filter { status($0)?.parent == parent }
        }

        /// A process that has ended and that nobody has asked about yet is none.
        private func isAlive(_ process: Int32) -> Bool {
            status(process).map { $0.state != "Z" } ?? false
        }

        private func status(_ process: Int32) -> (state: Substring, parent: Int32)? {
            guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { return nil }
            let parts = text[end...].split(separator: " ")
            guard parts.count > 2, let parent = Int32(parts[2]) else { return nil }
            return (parts[1], parent)
        }

        private func rank(of process: Int32) -> Int? {
            guard let data = FileManager.default.contents(atPath: "/proc/\(process)/environ")
            else { return nil }
            let line = data.split(separator: 0).first { $0.starts(with: Data("RANK=".utf8)) }
            return line.flatMap { Int(String(decoding: $0.dropFirst(5), as: UTF8.self)) }
        }
    }

    @Suite("accelerate's files") struct AccelerateFiles {
        private let zero2 = """
            compute_environment: LOCAL_MACHINE
            debug: false
            deepspeed_config:
              gradient_accumulation_steps: 1
              offload_optimizer_device: none  # a comment
              offload_param_device: 'none'
              zero3_init_flag: false
              zero_stage: 2
            distributed_type: DEEPSPEED
            main_training_function: main
            mixed_precision: bf16
            num_machines: 1
            num_processes: 8
            use_cpu: false
            """

        private func read(_ text: String) throws -> AccelerateFile {
            let folder = try TemporaryFolder()
            let path = folder.file("config.yaml")
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try AccelerateFile(path: path)
        }

        @Test func givesProcessesAndStage() throws {
            let file = try read(zero2)
            #expect(file.processes == 8 && file.zeroStage == 2 && file.port == nil)
            #expect(file.remark == nil)
        }

        @Test func whatIsNotUsedIsTold() throws {
            let file = try read(
                zero2.replacing("optimizer_device: none", with: "optimizer_device: cpu")
                    .replacing("mixed_precision: bf16", with: "mixed_precision: fp16"))
            let remark = try #require(file.remark)
            #expect(remark.contains("offload_optimizer_device cpu, mixed_precision fp16"))
        }

        @Test(arguments: [
            ("zero_stage: 2", "zero_stage: 3", "zero_stage 3: weights are not spread"),
            ("zero_stage: 2", "zero_stage: x", "zero_stage: expected 0 to 3, found 'x'"),
            ("num_machines: 1", "num_machines: 2", "launch starts the processes of one machine"),
            ("num_processes: 8", "num_processes: -1", "num_processes: expected 1 to 1024"),
        ])
        func whatCannotBeDoneIsRefused(before: String, after: String, words: String) throws {
            #expect {
                _ = try read(zero2.replacing(before, with: after))
            } throws: { "\($0)".contains(words) }
        }

        @Test func theStageOfAFileBecomesAnOptionOfTrain() throws {
            let file = try read(zero2)
            func arguments(_ command: String...) throws -> [String] {
                let launch = try #require(
                    try Flux2Command.parseAsRoot(["launch", "--processes", "2", "--"] + command)
                        as? Launch)
                return launch.arguments(file)
            }
            #expect(try arguments("train", "--x", "1") == ["train", "--x", "1", "--zero", "2"])
            #expect(try arguments("train", "--zero", "1") == ["train", "--zero", "1"])
            #expect(try arguments("doctor") == ["doctor"])
        }
    }
}
