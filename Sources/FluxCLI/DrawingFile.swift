import ArgumentParser
import Files

/// Drawings, which are `.svg` files.
enum DrawingFile {
    /// Refuses what cannot be written before any work is done.
    static func check(_ path: String, overwrite: Bool) throws {
        guard path.lowercased().hasSuffix(".svg") else {
            throw ValidationError("\(path): the drawing is a .svg file")
        }
        try AtomicFile.checkWritable(path, overwrite: overwrite)
    }

    static func write(_ drawing: String, to path: String, overwrite: Bool) throws {
        try AtomicFile.write(path, bytes: Array(drawing.utf8), overwrite: overwrite)
    }
}
