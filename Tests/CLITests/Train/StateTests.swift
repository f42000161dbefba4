import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("The state of a training", .serialized)
    struct States {
        private let place: TrainingPlace
        private let options =
            TrainingPlace.lora + ["--num_epochs", "4", "--lr_scheduler", "constant"]
        private static let newest = "training_state.safetensors"
        private static let previous = "training_state.previous.safetensors"

        init() throws { place = try TrainingPlace(images: 3) }

        private func step(_ name: String, in folder: String = "out") throws -> Int {
            let text = try SafetensorsFile(path: place.file("\(folder)/\(name)"))
                .metadata["progress"]
            let match = try #require(text?.firstMatch(of: /"steps":(\d+)/))
            return try #require(Int(match.output.1))
        }

        private func expectFinite() throws {
            for name in place.contents("out") where name.hasSuffix(".safetensors") {
                let file = try SafetensorsFile(path: place.file("out/" + name))
                for tensor in file.tensors {
                    let width = try #require([.BF16: 2, .F32: 4, .I64: 8][tensor.type])
                    guard tensor.type != .I64 else { continue }
                    // The exponent lies in the two highest bytes of both types.
                    let bytes = Array(file.bytes(of: tensor))
                    let high = stride(from: width - 1, to: bytes.count, by: width)
                    #expect(
                        !high.contains { bytes[$0] & 0x7F == 0x7F && bytes[$0 - 1] & 0x80 != 0 },
                        "\(name): \(tensor.name)")
                }
            }
        }

        /// Sets values of a file to NaN.
        private func spoil(_ name: String, tensorEnding end: String) throws {
            let path = place.file("out/" + name)
            let file = try SafetensorsFile(path: path)
            let tensor = try #require(file.tensors.first { $0.name.hasSuffix(end) })
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try handle.seek(toOffset: UInt64(file.range(of: tensor).lowerBound))
            try handle.write(contentsOf: [UInt8](repeating: 0xFF, count: tensor.byteCount))
            try handle.close()
        }

        // MARK: Two of them

        @Test func isThereTwice() throws {
            try place.train(options + ["--stop_after", "3"])
            #expect(!place.contents("out").contains(Self.previous))
            try place.train(options + ["--resume", "--stop_after", "5"])
            #expect(try step(Self.newest) == 5 && step(Self.previous) == 3)
        }

        private enum Damage: CaseIterable {
            case cut, changed
        }

        @Test(arguments: Damage.allCases)
        private func thatIsDamagedMakesRoomForTheOneBefore(_ damage: Damage) throws {
            try place.train(options, output: "whole")
            try place.train(options + ["--save_steps", "1", "--stop_after", "5"])
            let path = place.file("out/" + Self.newest)
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            let end = try handle.seekToEnd()
            switch damage {
            case .cut: try handle.truncate(atOffset: end / 2)
            case .changed:
                try handle.seek(toOffset: end - 100)
                let byte = try #require(try handle.read(upToCount: 1)?.first)
                try handle.seek(toOffset: end - 100)
                try handle.write(contentsOf: [byte ^ 1])
            }
            try handle.close()
            let outcome = try place.train(options + ["--resume"])
            #expect(
                outcome.errors.contains("going on from the state before it, that of step 4"),
                "\(outcome.errors)")
            #expect(
                try place.bytes("out/epoch-3.safetensors")
                    == place.bytes("whole/epoch-3.safetensors"))
            // What was damaged has not taken the place of the good one.
            _ = try step(Self.previous)
        }

        @Test func withoutASoundOneNothingGoesOn() throws {
            try place.train(options + ["--stop_after", "1"])
            try spoil(Self.newest, tensorEnding: "exp_avg")
            let outcome = try place.run(options + ["--resume"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("training_state.safetensors: is damaged"))
        }

        /// Numbers that no run comes to are no damage: somebody wrote them, and nothing goes on.
        @Test func ofNumbersThatCannotBeIsRefused() throws {
            try place.train(options + ["--save_steps", "1", "--stop_after", "2"])
            let path = place.file("out/" + Self.newest)
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            let key = Data(#"\"seconds\":"#.utf8)
            let value = try #require(bytes.range(of: key)).upperBound
            bytes[value] = UInt8(ascii: "-")
            bytes[value + 1] = UInt8(ascii: "1")
            try bytes.write(to: URL(fileURLWithPath: path))
            let outcome = try place.run(options + ["--resume"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("training_state.safetensors: 'seconds' must be"))
        }

        // MARK: Divergence

        @Test func survivesARunThatDiverges() throws {
            // The type in which the first update is too much already.
            let options = options + ["--dtype", "bfloat16"]
            try place.train(options + ["--stop_after", "3"])
            for more in [[], ["--save_steps", "1"]] {
                let outcome = try place.run(
                    options + more + ["--resume", "--learning_rate", "1e38"])
                #expect(outcome.status != 0 && outcome.status < 128)
                #expect(
                    outcome.errors.contains("the state after step 3 is kept"), "\(outcome.errors)")
                // A state that was kept says the rate that it was kept at.
                #expect(outcome.errors.contains("another --learning_rate: ") == more.isEmpty)
                #expect(try step(Self.newest) == 3)
            }
            try place.train(options + ["--resume"])
            try expectFinite()
        }

        @Test func checkpointsHoldNoNaN() throws {
            try place.train(options + ["--stop_after", "5"])
            for name in [Self.newest, Self.previous] {
                try spoil(name, tensorEnding: "lora_B.default.weight.exp_avg")
            }
            #expect(try place.run(options + ["--resume"]).status != 0)
            #expect(place.contents("out").filter { $0.hasPrefix("epoch") }.count == 1)
        }

        // MARK: Data that has moved

        private func resumed(_ more: [String]) throws -> Program.Outcome {
            try place.train(options + ["--resume"] + more)
        }

        private func expectAsWhole() throws {
            #expect(
                try place.bytes("out/epoch-3.safetensors")
                    == place.bytes("whole/epoch-3.safetensors"))
        }

        @Test func isTheSameWhereverDataAndModelLie() throws {
            try place.train(options, output: "whole")
            try place.train(options + ["--stop_after", "4"])
            let moved = place.file("moved")
            try FileManager.default.moveItem(atPath: place.data, toPath: moved)
            try FileManager.default.moveItem(
                atPath: moved + "/1.png", toPath: moved + "/one.png")
            let rows =
                "image,prompt\n0.png,picture 0\n\(moved)/one.png,picture 1\n2.png,picture 2\n"
            try rows.write(toFile: moved + "/rows.csv", atomically: true, encoding: .utf8)
            _ = try resumed([
                "--dataset_base_path", moved + "/", "--dataset_metadata_path", moved + "/rows.csv",
                "--model", try place.folder.model(),
            ])
            try expectAsWhole()
        }

        @Test func goesOnPastAnImageThatIsGoneOrDamaged() throws {
            try place.train(options + ["--stop_after", "4"])
            let image = URL(fileURLWithPath: place.data + "/1.png")
            let bytes = try Data(contentsOf: image)
            try bytes.prefix(60).write(to: image)
            for isThere in [true, false] {
                if !isThere { try FileManager.default.removeItem(at: image) }
                let refused = try place.run(options + ["--resume"])
                #expect(refused.status != 0 && refused.errors.contains("1.png"))
                let outcome = try resumed(["--skip-unreadable", "--stop_after", "5"])
                #expect(
                    outcome.errors.contains("1 of 3 samples are gone or cannot be read"),
                    "\(outcome.errors)")
            }
            // Back again, it takes its place.
            try bytes.write(to: image)
            let last = try resumed([])
            #expect(!last.errors.contains("samples are gone"))
            #expect(place.contents("out").contains("epoch-3.safetensors"))
        }

        // MARK: Small changes

        @Test func aLoRAWhoseChangesAreRoundedAwayIsTold() throws {
            func said(_ more: [String]) throws -> Bool {
                let outcome = try place.train(
                    TrainingPlace.lora + ["--force", "--stop_after", "1"] + more)
                return outcome.errors.contains("of lora_A are smaller than bfloat16 can hold")
            }
            #expect(try said(["--learning_rate", "2e-5", "--dtype", "bfloat16"]))
            #expect(try !said(["--learning_rate", "1e-2", "--dtype", "bfloat16"]))
            #expect(try !said(["--learning_rate", "2e-5", "--dtype", "float32"]))
            #expect(
                try !said([
                    "--learning_rate", "2e-5", "--dtype", "bfloat16", "--master_weights", "fp32",
                ]))
        }
    }
}
