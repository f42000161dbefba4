internal import FileSupport
public import Checkpoints

/// A file of weights that is not there, of which names, types and shapes are known: enough to plan
/// with, and nothing that could be read.
final class ExpectedFile: WeightFile {
    let mapped: MappedFile
    let weights: [WeightInfo]
    let notes: [String: String] = [:]

    init(_ path: String, _ type: ElementType, _ shapes: [String: [Int]]) {
        mapped = MappedFile(absent: path)
        var end = 0
        weights = shapes.sorted { $0.key < $1.key }.map { name, shape in
            let start = end
            end += shape.reduce(type.byteCount, *)
            return WeightInfo(name: name, type: .plain(type), shape: shape, range: start..<end)
        }
    }
}

extension Checkpoint {
    /// A checkpoint that is not there, of which names and shapes are known.
    ///
    /// - Parameters:
    ///   - location: what errors and plans call it.
    ///   - type: that of all its tensors.
    public init(expected location: String, _ type: ElementType, _ shapes: [String: [Int]]) {
        self.init(ExpectedFile(location, type, shapes))
    }
}
