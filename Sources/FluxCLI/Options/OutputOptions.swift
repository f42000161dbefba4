import ArgumentParser
import Files
import Imaging

/// Where the picture goes and what else is written.
struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Picture to write: .png, .jpg or .webp.")
    var output = "image.png"

    @Option(help: "Quality of .jpg and .webp, 1 to 100.")
    var quality: Int?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Option(
        help: "Also write `latents` and `noise` [1,128,h,w] to this .safetensors file.")
    var saveLatents: String?

    @Flag(help: "Also write a sheet of all pictures, as NAME-grid.")
    var grid = false

    @Flag(help: "Print settings, seconds and memory as one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices.")
    var quiet = false

    /// Refuses what cannot be written before any work is done.
    func check() throws {
        try Self.check(output, overwrite: force)
        if let saveLatents { try AtomicFile.checkWritable(saveLatents, overwrite: force) }
    }

    static func check(_ picture: String, overwrite: Bool) throws {
        _ = try ImageFormat.forWriting(picture)
        try AtomicFile.checkWritable(picture, overwrite: overwrite)
    }
}
