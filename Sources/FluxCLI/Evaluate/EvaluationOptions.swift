import ArgumentParser

/// What is compared with what, and what is written.
struct EvaluationOptions: ParsableArguments {
    @Option(help: "Metadata file with image, prompt, group and perhaps color of each row.")
    var rows: String?

    @Option(help: "Metadata file with the pictures among which neighbours are searched.")
    var among: String

    @Option(help: "Only the first rows of each group.")
    var limit: Int?

    @Option(help: "Only rows of this group; may be repeated.")
    var group: [String] = []

    @Option(
        help: """
            Folder with pictures that were made before, named by their row's number from 1, such \
            as 12.png or image-012.png; none is made then.
            """)
    var pictures: String?

    @Flag(help: "Look only at the autoencoder, which all of --among passes through.")
    var vaeOnly = false

    @Option(
        name: .shortAndLong,
        help: "Folder for report.json, sheet.png and, where they are made, the pictures.")
    var output: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(help: "Print the figures as one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices.")
    var quiet = false

    func validate() throws {
        if !vaeOnly, rows == nil { throw ValidationError("give --rows, or --vae-only") }
        guard vaeOnly else { return }
        for (isGiven, name) in [
            (rows != nil, "--rows"), (limit != nil, "--limit"), (!group.isEmpty, "--group"),
            (pictures != nil, "--pictures"),
        ] where isGiven {
            throw ValidationError("--vae-only looks at no rows; leave out \(name)")
        }
    }
}
