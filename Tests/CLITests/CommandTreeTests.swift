import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import FluxCLI

extension CommandLineTests {
    @Suite("A command below another gets its own options", .serialized)
    struct CommandTree {
        /// The parser gives a command's own options to it, wherever they stand: also behind `train new`.
        @Test func commandsBelowOneWithOptionsAreParsedByThemselves() throws {
            func walk(_ command: any ParsableCommand.Type) {
                for lower in command.configuration.subcommands {
                    if !OptionWalk.options(of: command).isEmpty {
                        #expect(lower.configuration._superCommandName != nil, "\(lower)")
                    }
                    walk(lower)
                }
            }
            walk(Flux2Command.self)
            #expect(!OptionWalk.options(of: Train.self).isEmpty)
        }

        private func model(_ folder: TemporaryFolder) throws -> String {
            let tiny = Reference.ownModel("tiny-klein")
            for part in ["transformer", "text_encoder", "vae"] {
                let place = folder.file("model/" + part)
                try FileManager.default.createDirectory(
                    atPath: place, withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    atPath: "\(tiny)/\(part)/config.json", toPath: place + "/config.json")
            }
            try FileManager.default.copyItem(
                atPath: tiny + "/tokenizer", toPath: folder.file("model/tokenizer"))
            return folder.file("model")
        }

        @Test func seedsAndForceOfTrainNew() throws {
            let folder = try TemporaryFolder()
            let model = try model(folder)
            func weights(_ options: [String]) throws -> Data {
                let outcome = try Program.run(["train", "new", model] + options)
                #expect(outcome.status == 0, "\(outcome.errors)")
                let part = try #require(
                    try FileManager.default.contentsOfDirectory(atPath: model + "/vae")
                        .first { $0.hasSuffix(".safetensors") })
                return try Data(contentsOf: URL(fileURLWithPath: "\(model)/vae/\(part)"))
            }
            let first = try weights([])
            #expect(try Program.run(["train", "new", model]).errors.contains("--force"))
            let other = try weights(["--seed", "5", "--force"])
            #expect(other != first)
            #expect(try weights(["--force", "--seed", "5"]) == other)
        }

        @Test func usageNamesTheWholeCommand() throws {
            for options in [["--help"], []] {
                let outcome = try Program.run(["train", "init"] + options)
                #expect((outcome.output + outcome.errors).contains("flux2 train init <model>"))
            }
        }
    }
}
