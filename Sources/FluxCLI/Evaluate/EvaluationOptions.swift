import ArgumentParser

/// What is compared with what, and what is written.
struct EvaluationOptions: ParsableArguments {
    @Option(help: "Metadata file: image, prompt, group and perhaps color of each row.")
    var rows: String?

    @Option(help: "Metadata file of the images to search for nearest neighbors.")
    var among: String

    @Option(help: "Rows of each group, from the first on. Default: all.")
    var limit: Int?

    @Option(help: "Group whose rows to take; may be repeated. Default: all.")
    var group: [String] = []

    @Option(
        help: """
            Folder of images made before, named by their row from 1, such as 12.png or \
            image-012.png. None is made then.
            """)
    var pictures: String?

    @Flag(help: "Evaluation of the VAE alone, on all of --among.")
    var vaeOnly = false

    @Option(
        name: .shortAndLong,
        help: "Folder to write: report.json, sheet.png, and the images that are made.")
    var output: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(help: "Result as JSON, with all warnings, and nothing else on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices; warnings stay.")
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
