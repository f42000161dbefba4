public import FluxModels
internal import ModelHub

/// What DiffSynth-Studio recognizes checkpoints by.
public enum KeyHash {
    /// The MD5 sum, in hexadecimal digits, over the sorted names of all tensors with and without
    /// their shapes.
    ///
    /// - Source: `hash_model_file`, `diffsynth/core/loader/file.py`.
    public static func of(_ shapes: TensorShapes) -> String {
        let entries = shapes.flatMap { name, shape in
            [name + ":" + shape.map(String.init).joined(separator: "_"), name]
        }
        let sorted = entries.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Checksum.of(Array(sorted.joined(separator: ",").utf8), .md5).value
    }
}
