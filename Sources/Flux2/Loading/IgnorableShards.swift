internal import FluxModels
internal import Foundation
internal import Checkpoints

extension ShardIndex {
    /// The files that hold nothing an image is made with: of a text encoder, those of the layers
    /// above the last that the transformer looks at.
    var ignorableFiles: Set<String> {
        guard let found = Detection(files.mapValues { _ in [] }) else { return [] }
        let needed = files.filter { !found.keyMap.isIgnorable($0.key) }
        return Set(files.values).subtracting(needed.values)
    }
}

enum IgnorableShard {
    /// Whether the index beside a file says that nothing in it is needed.
    static func isIgnorable(_ path: String) -> Bool {
        let file = URL(fileURLWithPath: path)
        guard let index = ShardIndex.path(in: file.deletingLastPathComponent().path),
            let map = try? ShardIndex(path: index)
        else { return false }
        return map.ignorableFiles.contains(file.lastPathComponent)
    }
}
