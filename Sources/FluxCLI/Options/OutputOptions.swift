import ArgumentParser
import FileSupport
import Imaging

/// Where the image goes.
struct OutputName: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: """
            File to write: .png, .jpg or .webp; folders are made. {prompt}, {seed}, {index}, {width}, \
            {height}, {steps} and {model} are replaced. Default, and in a folder: image.png, \
            image-2.png, …
            """, completion: .file())
    var output: String?
}

/// How the image is written, and what else is.
struct OutputDetailOptions: ParsableArguments {
    @Option(help: "Quality of .jpg and .webp, 1 to 100.")
    var quality: Int?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(help: "Keep images that exist, and make those that are missing.")
    var skipExisting = false

    @Option(
        help: "Also write `latents` and `noise` [1,128,h,w] to this .safetensors file.",
        completion: .file())
    var saveLatents: String?

    @Flag(help: "Also write a grid of all images, as NAME-grid.")
    var grid = false

    @Flag(help: "Result as JSON, with settings, seconds, memory and warnings: one object an image.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices; warnings stay.")
    var quiet = false
}

/// Where the image goes and what else is written.
@dynamicMemberLookup
struct OutputOptions: ParsableArguments {
    @OptionGroup(title: "Basics") var name: OutputName
    @OptionGroup(title: "Output") var details: OutputDetailOptions

    var output: String? { name.output }

    subscript<Value>(dynamicMember path: KeyPath<OutputDetailOptions, Value>) -> Value {
        details[keyPath: path]
    }

    func validate() throws {
        guard !details.skipExisting || !details.force else {
            throw ValidationError("--skip-existing contradicts --force")
        }
        guard !details.skipExisting || output != nil else {
            throw ValidationError("--skip-existing needs --output, which names the images")
        }
        for text in [output, details.saveLatents].compactMap(\.self) { _ = try OutputPattern(text) }
    }
}
