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

    @Flag(help: "Print settings, seconds and memory as one JSON object.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices.")
    var quiet = false

    func validate() throws {
        if let quality, !(1...100).contains(quality) {
            throw ValidationError("--quality must be 1 to 100, not \(quality)")
        }
    }

    /// Refuses what cannot be written before any work is done.
    func check() throws {
        _ = try ImageFormat.forWriting(output)
        for path in [output, saveLatents].compactMap({ $0 }) {
            try AtomicFile.checkWritable(path, overwrite: force)
        }
    }
}
