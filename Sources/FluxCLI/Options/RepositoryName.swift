import ArgumentParser

/// A model or a data set by its name.
struct RepositoryName: ParsableArguments {
    @Argument(help: "klein-4b, owner/name, or for a download owner/name:pattern.")
    var name: String?

    @Option(name: .shortAndLong, help: "The same as <name>, for a model.")
    var model: String?

    @Flag(help: "The name is that of a data set, not of a model.")
    var dataset = false

    func validate() throws {
        guard model == nil || !dataset else {
            throw ValidationError("--model contradicts --dataset")
        }
        _ = try value()
    }

    /// The name, wherever it stands.
    func value() throws -> String {
        try Positions.values(
            of: [.init(name: "name", option: "model", named: model)], words: [name])[0]
    }
}
