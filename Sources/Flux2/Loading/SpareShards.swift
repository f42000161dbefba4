internal import FluxModels
internal import Foundation
internal import Safetensors

extension ShardIndex {
    /// The files that hold nothing a picture is made with: of a text encoder, those of the layers
    /// above the last that the transformer looks at.
    var spareFiles: Set<String> {
        guard let found = Detection(files.mapValues { _ in [] }) else { return [] }
        let needed = files.filter { !found.layout.isSpare($0.key) }
        return Set(files.values).subtracting(needed.values)
    }
}

enum SpareShard {
    /// Whether the index beside a file says that nothing in it is needed.
    static func isSpare(_ path: String) -> Bool {
        let file = URL(fileURLWithPath: path)
        guard let index = ShardIndex.path(in: file.deletingLastPathComponent().path),
            let map = try? ShardIndex(path: index)
        else { return false }
        return map.spareFiles.contains(file.lastPathComponent)
    }
}
