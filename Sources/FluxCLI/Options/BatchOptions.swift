import ArgumentParser

/// How many images, and of what.
struct BatchOptions: ParsableArguments {
    @Option(help: "Images of each prompt, with consecutive seeds.")
    var count = 1

    @Option(
        help: "Text file with a prompt on each line, instead of <prompt>.", completion: .file())
    var promptFile: String?
}
