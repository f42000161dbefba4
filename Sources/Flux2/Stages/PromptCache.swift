internal import FileSupport
public import Foundation
internal import ModelHub
internal import Offloading
internal import Checkpoints
internal import Torch

/// A folder with text features, so that a prompt that comes again needs no encoder.
///
/// Features are found by what they follow from: the encoder's weights and architecture, the prompt's
/// tokens, the type, the device and the number of threads. Files hold no text. The oldest go when
/// there are too many.
public struct PromptCache: Hashable, Sendable {
    /// Where the files are; made when the first is written, for its owner alone.
    public var folder: String
    /// Bytes of all files; a prompt takes up 8 to 16 MB.
    public var limit = 1 << 30

    /// Keeps features in a folder, which need not be there yet.
    public init(folder: String) { self.folder = folder }

    /// The folder that `FLUX2_PROMPT_CACHE` names, else one in the user's caches; nil for `off`.
    public static func standard(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> PromptCache? {
        CacheFolder.named("prompts", by: "FLUX2_PROMPT_CACHE", environment)
            .map(PromptCache.init(folder:))
    }

    /// What is in a file that is not what was written.
    struct Damage: Error {
        var path: String
    }

    /// The features of a key; nil where there are none.
    ///
    /// - Throws: `Damage` for a file that does not hold what was written.
    func features(_ key: String, shape: [Int], dtype: DType) throws -> Tensor? {
        let path = path(key)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let file = try? SafetensorsFile(path: path), let info = file["features"],
            info.shape == shape, info.type == ElementType(dtype),
            let features = try? Tensor.mapped(info, of: file)
        else { throw Damage(path: path) }
        // Earlier versions wrote none; their files are replaced.
        guard let digest = file.metadata["digest"] else { return nil }
        let found = withExtendedLifetime(file) { ByteDigest.of(file.bytes(of: info)) }
        guard digest == found else { throw Damage(path: path) }
        // The time of the last use decides what goes first.
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
        return features
    }

    /// Keeps features for the next time.
    ///
    /// - Throws: `FileError` when they cannot be written.
    func keep(_ features: Tensor, as key: String) throws {
        guard let type = ElementType(features.dtype) else { return }
        if !LocalFiles.isFolder(folder) {
            try Folder.make(folder)
            chmod(folder, 0o700)
        }
        AtomicFile.discardAbandoned(in: folder) { Self.isOwn(URL(fileURLWithPath: $0)) }
        try features.to(device: .cpu).contiguous().withBytes { bytes in
            try SafetensorsWriter.write(
                to: path(key),
                tensors: [
                    TensorToWrite(name: "features", type: type, shape: features.shape) { sink in
                        try sink(bytes)
                    }
                ], metadata: ["digest": ByteDigest.of(bytes)])
        }
        removeOldest()
    }

    private func path(_ key: String) -> String { "\(folder)/\(key).safetensors" }

    /// Whether a file has a name that this cache gives; others are none of its business.
    private static func isOwn(_ file: URL) -> Bool {
        let stem = file.deletingPathExtension().lastPathComponent
        return file.pathExtension == "safetensors" && stem.utf8.count == 64
            && stem.allSatisfy(\.isHexDigit)
    }

    private func removeOldest() {
        let keys: [URLResourceKey] = [.contentModificationDateKey, .fileSizeKey]
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: URL(fileURLWithPath: folder), includingPropertiesForKeys: keys)) ?? []
        let known = files.filter(Self.isOwn).compactMap { file in
            (try? file.resourceValues(forKeys: Set(keys))).map { values in
                (file, values.contentModificationDate ?? .distantPast, values.fileSize ?? 0)
            }
        }
        var sum = 0
        for (file, _, size) in known.sorted(by: { $0.1 > $1.1 }) {
            sum += size
            if sum > limit { try? FileManager.default.removeItem(at: file) }
        }
    }
}
