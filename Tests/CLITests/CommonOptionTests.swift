import Foundation
import TestSupport
import Testing

@testable import FluxCLI

@Suite("One thing has one name in all commands")
struct CommonOptionTests {
    /// What options that all commands share are for.
    private struct Needs: OptionSet {
        let rawValue: Int
        static let output = Needs(rawValue: 1)
        static let model = Needs(rawValue: 2)
        static let result = Needs(rawValue: 4)
        static let all: Needs = [.output, .model, .result]
    }

    /// A new command has to say what it does.
    private static let needs: [String: Needs] = [
        "generate": .all, "train": .all, "train init": .all, "train new": .all, "evaluate": .all,
        "plan": .all, "rerun": .all, "bench request": .all, "assemble": .all, "quantize": .all,
        "lora convert": .all, "lora merge": .all, "lora extract": .all, "download": .all,
        "lora inspect": [.model, .result], "inspect": [.model, .result],
        "models remove": [.model, .result], "models list": .result, "bench kernels": .result,
        "launch": .result, "doctor": .result, "version": .result, "check-group": .result,
    ]

    private let dump: CommandDump

    init() throws { dump = try CommandDump.read() }

    private func requireShort(
        _ letter: String, of long: String, _ place: String, _ command: CommandDump.Command
    ) {
        let found = command.argument(long)
        #expect(found != nil, "\(place) has no --\(long)")
        #expect(found?.short == [letter], "\(place): -\(letter) is not --\(long)")
    }

    @Test func outputsModelsAndResultsHaveTheSameOptionsEverywhere() {
        let run = dump.commands.filter { $0.key != "" && $0.value.isRun }
        #expect(
            Set(run.keys) == Set(Self.needs.keys),
            "commands without an entry, or entries without one")
        for (place, command) in run {
            let needs = Self.needs[place] ?? []
            if needs.contains(.output) { requireShort("o", of: "output", place, command) }
            if needs.contains(.model) { requireShort("m", of: "model", place, command) }
            guard needs.contains(.result) else { continue }
            requireShort("q", of: "quiet", place, command)
            #expect(command.argument("json")?.kind == "flag", "\(place) has no --json")
        }
    }

    /// What is named a model or an output has an option of that name, too.
    @Test func positionsHaveOptionsBesideThem() {
        for (place, command) in dump.commands {
            for argument in command.arguments ?? [] where argument.kind == "positional" {
                guard let name = argument.valueName, ["model", "output"].contains(name) else {
                    continue
                }
                #expect(command.argument(name) != nil, "\(place) <\(name)>")
            }
        }
    }

    @Test func noNameMeansTwoThings() {
        // A file of quantize, and whether train writes one.
        let exceptions = ["report"]
        var kinds: [String: Set<String>] = [:]
        var letters: [String: Set<String>] = ["m": ["model"], "o": ["output"], "q": ["quiet"]]
        for argument in dump.commands.values.flatMap({ $0.arguments ?? [] }) {
            for name in argument.long { kinds[name, default: []].insert(argument.kind) }
            for letter in argument.short {
                letters[letter] = letters[letter, default: Set(argument.long)]
                    .intersection(argument.long)
            }
        }
        for (name, kinds) in kinds where !exceptions.contains(name) {
            #expect(kinds.count == 1, "--\(name): \(kinds)")
        }
        for (letter, names) in letters { #expect(names.count == 1, "-\(letter): \(names)") }
        #expect(kinds.count > 100 && Set(letters.keys) == ["h", "m", "o", "q"])
    }

    @Test func otherNamesOfAnOptionStandInTheSameOrderEverywhere() {
        var known: [String: [String]] = [:]
        for argument in dump.commands.values.flatMap({ $0.arguments ?? [] })
        where argument.long.count > 1 && !argument.long.contains("output") {
            let name = argument.long[0]
            #expect(known[name, default: argument.long] == argument.long, "\(argument.long)")
            known[name] = argument.long
        }
    }

    // MARK: Help

    @Test func helpFitsIntoEightyColumns() throws {
        for place in dump.commands.keys where !place.hasPrefix("check-group") {
            let words = place.split(separator: " ").map(String.init)
            let help = try Program.run(words + ["--help"], environment: ["COLUMNS": "80"]).output
            #expect(help.hasPrefix("OVERVIEW: "), "\(place)")
            for line in help.split(separator: "\n") {
                #expect(line.count <= 80, "\(place): \(line)")
            }
        }
    }

    @Test func helpIsShortSentencesInTheWordsOfTheField() {
        for (place, command) in dump.commands {
            let texts =
                [command.abstract, command.discussion].compactMap(\.self)
                + (command.arguments ?? []).compactMap(\.abstract)
            for text in texts {
                #expect(!text.lowercased().contains("picture"), "\(place): \(text)")
                let lines = text.split(separator: "\n").filter { !$0.hasPrefix("  ") }
                for sentence in lines.flatMap({ $0.split(separator: ". ") }) {
                    let words = sentence.split(separator: " ").count
                    #expect(words <= 25, "\(place), \(words) words: \(sentence)")
                }
            }
        }
    }

    @Test func beginnersFindWhatTheyNeedFirst() throws {
        let help = try Program.run(["generate", "--help"]).output
        let order = [
            "Examples:", "<prompt>  ", "--model <model>", "--seed <seed>", "--height <height>",
            "--width <width>", "--steps", "--output <output>", "--count <count>", "--prompt-file",
            "--negative-prompt", "--edit-image", "--lora <lora>", "--quality", "--transformer",
            "--tiling", "--kernels", "--vram-limit",
        ]
        var rest = help[...]
        for words in order {
            let found = rest.firstRange(of: words)
            #expect(found != nil, "\(words) is not behind the one before")
            if let found { rest = rest[found.upperBound...] }
        }
        #expect(
            try Program.run(["train", "--help"]).output.contains("flux2 train --config photos"))
    }

    // MARK: Positions

    @Test func positionsAreFilledInOrder() throws {
        func values(_ model: String?, _ output: String?, _ words: String...) throws -> [String] {
            try Positions.values(
                of: [.init(name: "model", named: model), .init(name: "output", named: output)],
                words: words.map(Optional.some) + [nil])
        }
        #expect(try values(nil, nil, "a", "b") == ["a", "b"])
        #expect(try values("a", nil, "b") == ["a", "b"])
        #expect(try values(nil, "b", "a") == ["a", "b"])
        #expect(try values("a", "b") == ["a", "b"])
        #expect(try values("a", "b", "a", "b") == ["a", "b"])
        for (model, output, words) in [
            (nil, nil, []), ("a", nil, []), ("a", "b", ["c"]), ("c", nil, ["a", "b"]),
            (nil, nil, ["a", "b", "c"]),
        ] as [(String?, String?, [String])] {
            #expect(throws: (any Error).self, "\(words)") {
                try Positions.values(
                    of: [.init(name: "model", named: model), .init(name: "output", named: output)],
                    words: words)
            }
        }
    }
}
