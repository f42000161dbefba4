import ArgumentParser
import Domains

/// Puts what `--config` files say into the arguments of `flux2 train`, before they are parsed.
///
/// What stands on the command line wins over files, and a file over those before it.
enum ConfigExpansion {
    /// - Parameter arguments: those of the program, long names with dashes.
    /// - Throws: `ValidationError` naming file and key.
    static func expanded(_ arguments: [String]) throws -> [String] {
        guard arguments.first == "train" else { return arguments }
        let (paths, rest) = separated(Array(arguments.dropFirst()))
        guard !paths.isEmpty else { return arguments }
        let options = try TrainingOption.all()
        let given = names(in: rest)
        var merged: [(key: String, value: OptionValue)] = []
        for path in paths {
            let entries = try checked(OptionFile(path: path), options)
            merged.removeAll { old in entries.contains { $0.key == old.key } }
            merged += entries
        }
        let fromFiles = try merged.filter { !given.contains($0.key) }.flatMap { key, value in
            try options[key]?.arguments(key, value) ?? []
        }
        return ["train"] + fromFiles + rest
    }

    /// The files, and the arguments without them; a `--config` without a value stays, for the parser
    /// to refuse.
    private static func separated(_ arguments: [String]) -> (paths: [String], rest: [String]) {
        var paths: [String] = []
        var rest: [String] = []
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if argument == "--" {
                rest += arguments[index...]
                break
            } else if argument.hasPrefix("--config=") {
                paths.append(String(argument.dropFirst("--config=".count)))
            } else if argument == "--config", index + 1 < arguments.count {
                index += 1
                paths.append(arguments[index])
            } else {
                rest.append(argument)
            }
            index += 1
        }
        return (paths, rest)
    }

    /// The options of a file, each looked at by itself so that errors can tell where they are.
    private static func checked(
        _ file: OptionFile, _ options: [String: TrainingOption]
    ) throws -> [(key: String, value: OptionValue)] {
        try file.entries.map { key, value in
            let (name, value) = positive(others[key] ?? key, value, options)
            guard let option = options[name] else {
                throw ValidationError("\(file.path): '\(key)' is no option of flux2 train")
            }
            do {
                if case .text(let text) = value, let setting = NumericSetting(option: name) {
                    try setting.domain.check(text, "'\(key)'")
                }
                _ = try Train.parse(option.arguments(name, value))
            } catch let error as NumberError {
                throw ValidationError("\(file.path): \(error)")
            } catch let error as ValidationError {
                throw ValidationError("\(file.path): '\(key)' \(error)")
            } catch {
                throw ValidationError("\(file.path): '\(key)': \(Train.message(for: error))")
            }
            return (name, value)
        }
    }

    /// Names of options that mean the same as others.
    private static let others = ["output": "output_path"]

    /// `no_keep_state` as `keep_state`, the other way round.
    private static func positive(
        _ key: String, _ value: OptionValue, _ options: [String: TrainingOption]
    ) -> (String, OptionValue) {
        guard key.hasPrefix("no_"), options[String(key.dropFirst(3))] == .flag(isOn: true) else {
            return (key, value)
        }
        guard case .flag(let isGiven) = value else { return (String(key.dropFirst(3)), value) }
        return (String(key.dropFirst(3)), .flag(!isGiven))
    }

    /// The options that the command line itself gives, by their names with underscores.
    private static func names(in arguments: [String]) -> Set<String> {
        var names: Set<String> = []
        for argument in arguments.prefix(while: { $0 != "--" }) {
            if argument.hasPrefix("--") {
                let name = String(argument.dropFirst(2).prefix { $0 != "=" })
                    .replacing("-", with: "_")
                names.insert(others[name] ?? name)
                if name.hasPrefix("no_") { names.insert(String(name.dropFirst(3))) }
            } else if argument.hasPrefix("-") {
                for letter in argument.dropFirst().prefix(while: { $0.isLetter }) {
                    if let name = short[letter] { names.insert(name) }
                }
            }
        }
        return names
    }

    private static let short: [Character: String] = [
        "m": "model", "o": "output_path", "q": "quiet",
    ]
}
