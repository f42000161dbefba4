internal import Foundation
internal import Imaging

extension TrainingSettings {
    /// The samples of the task.
    ///
    /// - Throws: `DataError`, for pictures that are named and are not there, too.
    func source() throws -> any SampleSource {
        guard !task.readsEncoded else {
            guard data.metadata == nil else {
                throw DataError(
                    path: "--dataset_metadata_path",
                    reason: .unfit(
                        "is not for --task \(task.rawValue), which reads what :data_process has "
                            + "written"))
            }
            return try CachedDataset(folder: data.base)
        }
        let dataset = try PictureDataset(
            rows(), base: data.base,
            sizing: PictureSizing(
                height: data.height, width: data.width, maxPixels: data.maxPixels),
            pictureColumns: data.pictureColumns, extraInputs: data.extraInputs,
            options: ReadOptions(
                orientation: data.ignoresOrientation ? .ignore : .apply,
                alpha: data.dropsAlpha ? .drop : .compositeOnWhite))
        if !data.skipsUnreadable, let first = try dataset.missingFiles().first {
            throw DataError(path: first, reason: .unreadable("it is not there"))
        }
        return dataset
    }

    private func rows() throws -> Metadata {
        if let metadata = data.metadata { return try Metadata(path: metadata) }
        // Other files of that kind, such as checkpoints, may lie below a folder of pictures.
        let first = (try? CachedDataset(folder: data.base))?.samples.first
        let holdsSamples = first.map { (try? $0.measure()) != nil } ?? false
        guard !holdsSamples else {
            throw DataError(
                path: data.base,
                reason: .unfit("holds encoded samples, which are for --task \(task.rawValue):train")
            )
        }
        return try Metadata(folder: data.base)
    }

    /// Leaves out samples that cannot be read, and tells which.
    ///
    /// All are read once: every process has to know the same samples before the first step.
    func readable(
        _ source: any SampleSource, onEvent: (TrainingEvent) -> Void
    ) throws -> any SampleSource {
        guard data.skipsUnreadable else { return source }
        var kept: [Int] = []
        for number in 0..<source.count {
            try Task.checkCancellation()
            do {
                _ = try source.load(number)
                kept.append(number)
            } catch {
                onEvent(.warned("left out: \(error)"))
            }
            onEvent(.readSizes(done: number + 1, of: source.count))
        }
        let missing = source.count - kept.count
        guard missing > 0 else { return source }
        guard !kept.isEmpty else {
            throw DataError(path: data.base, reason: .empty("no sample can be read"))
        }
        onEvent(.warned("\(missing) of \(source.count) samples are left out"))
        return SampleSelection(source: source, numbers: kept)
    }
}
