internal import FileSupport
package import FluxModels
internal import ModelHub
internal import Offloading

/// Tells large files from each other without reading all of them.
package enum FileFingerprint {
    /// A sum over the start of a file, its length, and pieces at even distances.
    ///
    /// - Parameters:
    ///   - start: the bytes at the start that count.
    ///   - count: how many pieces, 4 kB each.
    package static func digest(
        of path: String, start head: Int = 1 << 20, pieces count: Int = 32
    ) throws -> String {
        let file = try MappedFile(path: path)
        let piece = 4096
        return withExtendedLifetime(file) {
            var taken = Array("\(file.size)".utf8) + file.bytes.prefix(head)
            for start in stride(from: 0, to: file.size, by: max(piece, file.size / count)) {
                taken += file.bytes[start...].prefix(piece)
            }
            return Checksum.of(taken, .sha256).value
        }
    }

    /// A digest that tells models apart which have most values in common: the whole of files of up to
    /// 64 MB, and of larger ones the first megabyte and 1024 pieces of 4 kB.
    package static func identity(of path: String) throws -> String {
        let file = try MappedFile(path: path)
        guard file.size > 64 << 20 else { return try Checksum.of(path, .sha256).value }
        return try digest(of: path, pieces: 1024)
    }

    /// The same over all files of a component.
    package static func identity(of paths: [String], _ component: Component) throws -> String {
        let files = try ComponentFile(paths, expected: component).checkpoint.files
        return try files.map { try identity(of: $0.path) }.joined(separator: " ")
            + (try architecture(of: paths, component))
    }

    /// What is known of a component's architecture beside its weights.
    package static func architecture(of paths: [String], _ component: Component) throws -> String {
        let file = try ComponentFile(paths, expected: component)
        switch file.content {
        case .textEncoder(_, let derived):
            let shape: TextEncoderConfiguration = try file.configuration(derived)
            return "\(shape)"
        case .autoencoder(let derived):
            let shape: AutoencoderConfiguration = try file.configuration(derived)
            return "\(shape)"
        case .transformer: return "\(try file.transformerConfiguration())"
        case .lora: return ""
        }
    }

    /// The same over all files of a component.
    package static func digest(of paths: [String], _ component: Component) throws -> String {
        let files = try ComponentFile(paths, expected: component).checkpoint.files
        return try files.map { try digest(of: $0.path) }.joined(separator: " ")
    }
}
