internal import Foundation
internal import Imaging

extension TrainingSettings {
    /// The samples of the task.
    ///
    /// - Parameter referenceArea: the area in pixels that images which prompts refer to are resized to.
    /// - Throws: `DataError`, for images that are named and are not there, too.
    func source(referenceArea: Int) throws -> any SampleSource {
        guard !task.readsEncoded else {
            guard data.metadata == nil else {
                throw DataError(
                    path: "--dataset_metadata_path",
                    reason: .unfit(
                        "is not for --task \(task.rawValue), which reads what :data_process has "
                            + "written"))
            }
            return try CachedDataset(folder: data.folder)
        }
        var dataset = try ImageDataset(
            rows(), base: data.folder,
            sizing: ImageSizing(
                height: data.height, width: data.width, maxPixels: data.maxPixels),
            imageColumns: data.imageColumns, extraInputs: data.extraInputs,
            options: ReadOptions(
                orientation: data.ignoresOrientation ? .ignore : .apply,
                alpha: data.dropsAlpha ? .drop : .compositeOnWhite))
        dataset.referenceArea = referenceArea
        if !data.skipsUnreadable, let first = try dataset.missingFiles().first {
            throw DataError(path: first, reason: .unreadable("it is not there"))
        }
        return dataset
    }

    private func rows() throws -> Metadata {
        if let metadata = data.metadata { return try Metadata(path: metadata) }
        // Other files of that kind, such as checkpoints, may lie below a folder of images.
        let first = (try? CachedDataset(folder: data.folder))?.samples.first
        let holdsSamples = first.map { (try? $0.measure()) != nil } ?? false
        guard !holdsSamples else {
            throw DataError(
                path: data.base,
                reason: .unfit("holds encoded samples, which are for --task \(task.rawValue):train")
            )
        }
        return try Metadata(folder: data.folder)
    }
}
