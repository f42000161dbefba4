internal import FileSupport
internal import Foundation
internal import Offloading
internal import Checkpoints
internal import Torch

/// 8-bit checkpoints that are made of others.
public enum QuantizedCheckpoint {
    /// How far the work is.
    public struct Progress: Hashable, Sendable {
        /// The weight that was written last.
        public var name: String
        /// Bytes of the source that are done.
        public var done: Int
        /// Bytes of the source.
        public var total: Int
    }

    /// Writes a component with its weights quantized, and `config.json` beside it where there is none.
    ///
    /// Weights follow each other as the model uses them, each with its scale behind it as
    /// `….weight_scale`. A transformer's have their canonical names, a text encoder's those of its
    /// source; of a text encoder only the layers are written that images are made with. The file
    /// appears complete or not at all.
    ///
    /// - Parameters:
    ///   - path: the `.safetensors` file; in no folder that the source is read from as a whole.
    ///   - onProgress: called after each weight; what it throws ends the work.
    /// - Returns: what became of each weight.
    /// - Throws: `ModelError` for settings that do not suit the source; `WeightError` for weights
    ///   that are not finite; `FileError`, `TorchError`, and what `onProgress` throws.
    public static func write(
        _ source: QuantizationSource, _ settings: QuantizationSettings, to path: String,
        overwrite: Bool = false, onProgress: @escaping (Progress) throws -> Void = { _ in }
    ) throws -> QuantizationReport {
        let plan = try QuantizationPlan(source, settings)
        try source.checkTarget(path)
        try AtomicFile.checkWritable(path, overwrite: overwrite)
        try source.configuration.check(beside: path)
        try checkSpace(for: plan.byteCount, at: path)
        let run = QuantizationRun(plan, QuantizationReport(settings), onProgress)
        try withoutGradients {
            try SafetensorsWriter.write(
                to: path, tensors: run.tensors(),
                metadata: QuantizationNotes.metadata(source, settings), order: .given,
                overwrite: overwrite)
        }
        try source.configuration.write(beside: path)
        return run.finished()
    }

    /// Whether a file was made of this source with these settings, and the source is as it was then.
    public static func isCurrent(
        _ path: String, of source: QuantizationSource, _ settings: QuantizationSettings
    ) -> Bool {
        guard let file = try? SafetensorsFile(path: path),
            let expected = try? QuantizationNotes.metadata(source, settings)
        else { return false }
        return file.metadata == expected
    }

    private static func checkSpace(for bytes: Int, at path: String) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard try DiskSpace.free(at: folder) < bytes else { return }
        throw FileError(path: path, reason: .failed(action: "write", code: ENOSPC))
    }
}

extension QuantizationSource {
    /// Refuses to write over what is read, or among files that are read as a whole.
    fileprivate func checkTarget(_ path: String) throws {
        let folder = realPath(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        let isAmong = folder == realPath(location)
        guard !isAmong, !files.contains(where: { realPath($0.path) == realPath(path) }) else {
            throw ModelError(
                path: path, reason: .mismatch("lies where the source is; choose another folder"))
        }
    }
}
