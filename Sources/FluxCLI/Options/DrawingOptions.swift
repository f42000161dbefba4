import ArgumentParser
import FileSupport

/// A drawing of a result, which is a `.svg` file.
struct DrawingOptions: ParsableArguments {
    @Option(
        name: [.customLong("svg"), .customLong("output"), .customShort("o")],
        help: "Drawing to write: a .svg file.", completion: .file())
    var svg: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    /// Refuses what cannot be written before any work is done.
    func check() throws {
        guard let svg else { return }
        guard svg.lowercased().hasSuffix(".svg") else {
            throw ValidationError("\(svg): the drawing is a .svg file")
        }
        try AtomicFile.checkWritable(svg, overwrite: force)
    }

    /// Writes the drawing, if one is asked for.
    func write(_ drawing: @autoclosure () -> String) throws {
        guard let svg else { return }
        try AtomicFile.write(svg, bytes: Array(drawing().utf8), overwrite: force)
    }
}
