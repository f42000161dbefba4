internal import Foundation
internal import ModelHub

/// Encoded samples in a folder and those below it.
public struct CachedDataset: Sendable {
    /// The folder.
    public let folder: String
    /// Files in the order of their names, numbers by their values.
    public let samples: [CachedSample]

    /// Finds all files.
    ///
    /// - Throws: `DataError` when there is none, or files of DiffSynth-Studio's own cache.
    public init(folder: String) throws {
        guard LocalFiles.isFolder(folder) else {
            throw DataError(path: folder, reason: .unreadable("it is no folder"))
        }
        let files = LocalFiles.matching("", in: folder)
        let found = files.filter { $0.hasSuffix(".safetensors") }
        guard !found.isEmpty else {
            let pickles = files.filter { $0.hasSuffix(".pth") }
            throw DataError(
                path: folder,
                reason: pickles.isEmpty
                    ? .empty("it has no encoded samples; --task …:data_process makes them")
                    : .unfit(
                        "its \(pickles.count) .pth files are Python's own and are not read; make the "
                            + "samples again with --task …:data_process"))
        }
        self.folder = folder
        samples = found.sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            .map(CachedSample.init(path:))
    }
}

extension CachedDataset: SampleSource {
    public var count: Int { samples.count }

    public func load(_ number: Int) throws -> LoadedSample { .encoded(samples[number]) }

    public func fingerprint() throws -> String {
        Digest.of(try samples.map { try $0.fingerprint() })
    }
}
