import ArgumentParser
import Domains
import Foundation
import Testing

@testable import FluxCLI

@Suite("Numbers on the command line have a domain each")
struct NumericOptionTests {
    /// All commands with arguments of their own.
    private static let commands: [any ParsableCommand.Type] = gathered(Flux2Command.self)

    private static func gathered(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type]
    {
        [command] + command.configuration.subcommands.flatMap(gathered)
    }

    @Test func everyNumericOptionHasAnEntry() throws {
        var found = 0
        for command in Self.commands {
            for option in OptionWalk.options(of: command) {
                let setting = NumericSetting(option: option.name)
                let place = "\(command._commandName) --\(option.name) of \(option.type)"
                #expect(option.isNumeric == (setting != nil), "\(place)")
                if option.isNumeric { found += 1 }
            }
        }
        #expect(found > 60, "\(found) options are walked through")
    }

    @Test func otherNamesOfAnOptionMeanTheSame() throws {
        for command in try CommandDump.read().commands.values {
            for argument in command.arguments ?? [] {
                let settings = argument.long.map { NumericSetting(option: $0) }
                #expect(Set(settings).count <= 1, "\(argument.long)")
            }
        }
    }

    @Test func negativeNumbersBelongToTheOptionBeforeThem() {
        func joined(_ text: String) -> String {
            NumericArguments.joined(text.split(separator: " ").map(String.init))
                .joined(separator: " ")
        }
        #expect(joined("generate x --width -64") == "generate x --width=-64")
        #expect(joined("generate x --seed -1 -q") == "generate x --seed=-1 -q")
        #expect(joined("generate x --width=8 -64") == "generate x --width=8 -64")
        #expect(joined("generate x --tiled -64") == "generate x --tiled -64")
        #expect(joined("generate x --steps -q") == "generate x --steps -q")
        #expect(joined("launch -- train --seed -1") == "launch -- train --seed -1")
        #expect(joined("train --ema-decay -.5") == "train --ema-decay=-.5")
    }

    @Test(arguments: [
        (["generate", "x", "--steps", "99999999999999999999"], "--steps"),
        (["train", "--learning-rate", "1e39"], "--learning_rate"),
        (["train", "--max-grad-norm=nan"], "--max_grad_norm"),
        (["plan", "x", "--cfg-scale=inf"], "--cfg-scale"),
        (["rerun", "a.png", "--threads", "0"], "--threads"),
        (["bench", "--rounds", "0"], "--rounds"), (["launch", "--processes", "x"], "--processes"),
    ])
    func whatIsOutOfADomainNamesTheOption(_ arguments: [String], _ option: String) {
        let error = #expect(throws: NumberError.self) { try NumericArguments.check(arguments) }
        #expect(error?.name == option)
    }

    @Test func valuesOfOthersAreLeftAlone() throws {
        try NumericArguments.check(["generate", "--steps"])
        try NumericArguments.check(["generate", "--steps", "--tiled"])
        try NumericArguments.check(["launch", "--processes", "2", "--", "train", "--steps", "x"])
        try NumericArguments.check(["train", "--seed=-1", "--zero", "0", "--vram-limit", "auto"])
    }

    @Test func settingsOfImagesThatNoneIsMadeWith() {
        for text in [
            "feathered 8 nan", "feathered 8 1e300", "feathered 8 9", "feathered 8 0.5",
            "overlapping 0 0", "overlapping 1152921504606846976 0.5", "overlapping 64 1",
            "overlapping 64 -1", "overlapping 64 nan", "overlapping 9223372036854775807 0.25",
        ] {
            #expect(TilingOptions.tiling(text) == nil, "\(text)")
        }
        #expect(TilingOptions.tiling("feathered 64 32") != nil)
        #expect(TilingOptions.tiling("overlapping 128 0.25") != nil)
    }
}

/// The options that a command declares, found without parsing anything.
enum OptionWalk {
    struct Found {
        var name: String
        var type: Any.Type

        /// Whether values are numbers, one or several, or may be.
        var isNumeric: Bool {
            let text = "\(type)"
            return ["Int", "Double", "Float", "Seed", "Limit"].contains(where: text.contains)
        }
    }

    static func options(of type: any ParsableArguments.Type) -> [Found] {
        Mirror(reflecting: type.init()).children.flatMap { child -> [Found] in
            if let group = child.value as? any Group { return options(of: group.type) }
            guard let option = child.value as? any Valued, let label = child.label else {
                return []
            }
            return [Found(name: kebab(String(label.drop { $0 == "_" })), type: option.type)]
        }
    }

    private static func kebab(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            text += character.isUppercase ? "-" + character.lowercased() : String(character)
        }
    }
}

private protocol Valued { var type: Any.Type { get } }
extension Option: Valued { fileprivate var type: Any.Type { Value.self } }

private protocol Group { var type: any ParsableArguments.Type { get } }
extension OptionGroup: Group { fileprivate var type: any ParsableArguments.Type { Value.self } }
