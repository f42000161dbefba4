internal import Files
package import FluxModels
internal import ModelHub
internal import Residency

/// Tells large files from each other without reading all of them.
package enum FileSamples {
    /// A sum over the start of a file, its length, and pieces at even distances.
    package static func digest(of path: String) throws -> String {
        let file = try MappedFile(path: path)
        let (piece, count) = (4096, 32)
        return withExtendedLifetime(file) {
            var taken = Array("\(file.size)".utf8) + file.bytes.prefix(1 << 20)
            for start in stride(from: 0, to: file.size, by: max(piece, file.size / count)) {
                taken += file.bytes[start...].prefix(piece)
            }
            return Checksum.of(taken, .sha256).value
        }
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
        case .transformer, .lora: return ""
        }
    }

    /// The same over all files of a component.
    package static func digest(of paths: [String], _ component: Component) throws -> String {
        let files = try ComponentFile(paths, expected: component).checkpoint.files
        return try files.map { try digest(of: $0.path) }.joined(separator: " ")
    }
}
