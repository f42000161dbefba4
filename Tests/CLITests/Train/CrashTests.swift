import Foundation
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Training that is ended from outside", .serialized)
    struct Crashes {
        /// Every other checkpoint is one within an update.
        private static let options =
            TrainingPlace.lora + [
                "--save_steps", "1", "--gradient_accumulation_steps", "2", "--ema_decay", "0.9",
            ]

        @Test func losesNothingThatWasSaved() throws { try kill(times: 5) }

        @Test(.slow) func losesNothingThatWasSavedFiftyTimes() throws {
            try kill(times: 50)
        }

        /// Kills runs at random moments of their saving, or asks them to end, and compares the end
        /// with a whole run.
        private func kill(times: Int) throws {
            let place = try TrainingPlace(images: 5)
            // As many steps as the kills cannot come to the end of.
            let steps = ["--num_epochs", "\(2 * times)"]
            try place.train(Self.options + steps, output: "whole")
            var ended = 0
            for attempt in 0..<times {
                let hasState = place.contents("out").contains("training_state.safetensors")
                // A checkpoint may be there without a state.
                let resume = hasState ? ["--resume"] : ["--force"]
                let running = try Program.start(place.arguments(Self.options + steps + resume))
                wait(for: running, in: place, saved: attempt % 4)
                // Most while they save, some while they begin.
                Thread.sleep(forTimeInterval: .random(in: 0..<0.05))
                running.send(attempt % 5 == 3 ? SIGTERM : SIGKILL)
                if try running.finish().status != 0 { ended += 1 }
                try expectWholeFiles(place)
            }
            #expect(ended > times / 2)
            print("ended \(ended) times, with \(checkpoints(place)) checkpoints there")
            // As a run that is killed while it writes leaves it.
            let draft = place.file("out/.step-7.safetensors.AbCdEf")
            try Data([1]).write(to: URL(fileURLWithPath: draft))
            try place.train(Self.options + steps + ["--resume"])
            for name in place.contents("whole") where name.hasPrefix("step-") {
                #expect(
                    try place.bytes("whole/\(name)") == place.bytes("out/\(name)"), "\(name)")
            }
            try expectSameState(place.file("whole"), place.file("out"))
            #expect(place.contents("out") == place.contents("whole"))
        }

        private func checkpoints(_ place: TrainingPlace) -> Int {
            place.contents("out").count { $0.hasPrefix("step-") }
        }

        /// Waits until a run has written so many checkpoints.
        private func wait(
            for running: Program.Running, in place: TrainingPlace, saved count: Int
        ) {
            let deadline = Date().addingTimeInterval(120)
            while running.isRunning, Date() < deadline,
                running.errors.split(separator: "\n").count(where: {
                    $0.contains("safetensors: written")
                }) < count
            { Thread.sleep(forTimeInterval: 0.003) }
        }

        private func expectWholeFiles(_ place: TrainingPlace) throws {
            for name in place.contents("out")
            where name.hasSuffix(".safetensors") && !name.hasPrefix(".") {
                #expect(throws: Never.self, "\(name)") {
                    _ = try SafetensorsFile(path: place.file("out/" + name))
                }
            }
        }

        @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
        func aRequestToEndSavesTheLastUpdateAndSaysHowToGoOn(_ signal: Int32) throws {
            let place = try TrainingPlace(images: 5)
            let options = TrainingPlace.lora + ["--num_epochs", "1000"]
            let running = try Program.start(place.arguments(options))
            wait(for: running, in: place, saved: 1)
            running.send(signal)
            let outcome = try running.finish()
            #expect(outcome.status == 130 || outcome.status == 128 + signal, "\(outcome.errors)")
            let last = outcome.errors.split(separator: "\n").last
            #expect(last?.contains("--resume goes on after step ") == true, "\(outcome.errors)")
            let state = try SafetensorsFile(path: place.file("out/training_state.safetensors"))
            #expect(state.metadata["progress"]?.contains("\"steps\":") == true)
            let resumed = try place.run(options + ["--resume", "--stop_after", "1"])
            #expect(resumed.status == 0, "\(resumed.errors)")
        }

        /// Runs the program by a shell; `$@` are its arguments.
        private func shell(_ command: String, running arguments: [String]) throws -> Process {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", command, "sh", Program.path] + arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            return process
        }

        @Test func aClosedPipeEndsARunAndSavesItsLastUpdate() throws {
            let place = try TrainingPlace(images: 5)
            let options = TrainingPlace.lora + ["--num_epochs", "1000", "--save_steps", "2"]
            // Read up to the first checkpoint.
            let process = try shell(
                #""$@" 2>&1 >/dev/null | sed -u /written/q"#, running: place.arguments(options))
            process.waitUntilExit()
            let state = try SafetensorsFile(path: place.file("out/training_state.safetensors"))
            #expect(state.metadata["progress"]?.contains("\"steps\":") == true)
            #expect(!place.contents("out").contains("step-5000.safetensors"))
            let resumed = try place.run(options + ["--resume", "--stop_after", "1"])
            #expect(resumed.status == 0, "\(resumed.errors)")
        }

        @Test func theEndOfATerminalDoesNotEndWhatNohupHasStarted() throws {
            let place = try TrainingPlace(images: 5)
            let options = TrainingPlace.lora + ["--num_epochs", "1000", "--enable_csv_log"]
            let process = try shell(
                #"trap "" HUP; exec "$@""#, running: place.arguments(options))
            let deadline = Date().addingTimeInterval(120)
            func steps() -> Int { (try? place.losses().count) ?? 0 }
            while steps() < 2, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
            Foundation.kill(process.processIdentifier, SIGHUP)
            let before = steps()
            while steps() < before + 3, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
            #expect(steps() >= before + 3 && process.isRunning)
            process.terminate()
            process.waitUntilExit()
        }

        // MARK: No room

        @Test(.enabled(if: SmallDisk.isAvailable, "no tmpfs can be mounted here"))
        func aFullDiskLeavesWhatWasSaved() throws {
            let place = try TrainingPlace(images: 5)
            let disk = try SmallDisk(place.folder, size: "300k")
            defer { disk.unmount() }
            let small = disk.path
            let options = TrainingPlace.lora + ["--num_epochs", "100", "--save_steps", "1"]
            let outcome = try place.run(options, output: "small")
            let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
            #expect(outcome.status != 0 && outcome.status < 128)
            #expect(lines.count == 1 && lines[0].contains("space"), "\(outcome.errors)")
            let files = place.contents("small")
            #expect(files.count > 2 && !files.contains { $0.hasPrefix(".") }, "\(files)")
            for name in files where name.hasSuffix(".safetensors") {
                _ = try SafetensorsFile(path: small + "/" + name)
            }
            // With room again, it goes on.
            try FileManager.default.removeItem(atPath: small + "/step-1.safetensors")
            let resumed = try place.run(
                TrainingPlace.lora + ["--num_epochs", "100", "--resume", "--stop_after", "1"],
                output: "small")
            #expect(resumed.errors.contains("going on after step"), "\(resumed.errors)")
        }

        @Test func aLimitOfFileSizesLeavesWhatWasSaved() throws {
            let place = try TrainingPlace(images: 3)
            try place.train(TrainingPlace.lora + ["--save_steps", "1", "--stop_after", "1"])
            let names = ["step-1.safetensors", "training_state.safetensors"]
            let before = try names.map { try place.bytes("out/" + $0) }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            let log = place.file("err")
            process.arguments =
                [
                    "-c", #"trap "" XFSZ; ulimit -f 4; log="$1"; shift; exec "$@" 2>"$log""#, "sh",
                    log,
                    Program.path,
                ] + place.arguments(TrainingPlace.lora + ["--save_steps", "1", "--resume"])
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            let errors = try String(contentsOfFile: log, encoding: .utf8)
            #expect(process.terminationStatus != 0 && process.terminationStatus < 128)
            #expect(
                errors.split(separator: "\n").count { $0.hasPrefix("Error: ") } == 1, "\(errors)")
            #expect(try names.map { try place.bytes("out/" + $0) } == before)
            #expect(!place.contents("out").contains { $0.hasPrefix(".") })
        }
    }
}
