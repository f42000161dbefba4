import ArgumentParser
import Files
import Imaging

/// Where the picture goes and what else is written.
struct OutputOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: """
            Picture to write: .png, .jpg or .webp. {prompt}, {seed}, {index}, {width}, {height}, \
            {steps} and {model} stand for those of each picture; folders are made. When absent, or a \
            folder: image.png, image-2.png, … whichever is free.
            """, completion: .file())
    var output: String?

    @Option(help: "Quality of .jpg and .webp, 1 to 100.")
    var quality: Int?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(help: "Leave pictures that exist as they are, and make those that are missing.")
    var skipExisting = false

    @Option(
        help: "Also write `latents` and `noise` [1,128,h,w] to this .safetensors file.",
        completion: .file())
    var saveLatents: String?

    @Flag(help: "Also write a sheet of all pictures, as NAME-grid.")
    var grid = false

    @Flag(help: "Print settings, seconds and memory as one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices; warnings stay.")
    var quiet = false

    func validate() throws {
        guard !skipExisting || !force else {
            throw ValidationError("--skip-existing contradicts --force")
        }
        guard !skipExisting || output != nil else {
            throw ValidationError("--skip-existing needs --output, which names the pictures")
        }
        for text in [output, saveLatents].compactMap(\.self) { _ = try OutputPattern(text) }
    }
}
