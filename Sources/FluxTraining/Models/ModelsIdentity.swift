internal import Flux2
internal import FluxModels

extension TrainingFiles {
    /// A digest of the components that samples are encoded by: names and shapes of all tensors, and
    /// some of their bytes; and what their configurations say.
    ///
    /// - Throws: `ModelError`, `FileError`.
    func identity(dtype: String) throws -> String {
        var parts = [dtype, "\(textLength)"]
        for component in [Component.textEncoder, .autoencoder] {
            guard let paths = weights[component] else { continue }
            parts.append(try FileFingerprint.digest(of: paths, component))
            parts.append(storage[component]?.name ?? "")
            parts.append(try FileFingerprint.architecture(of: paths, component))
        }
        return Digest.of(parts)
    }
}
