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
        guard access(Self.unfinished(folder), F_OK) != 0 else {
            throw DataError(
                path: folder,
                reason: .unfit(
                    "its samples have not all been encoded; the command that made them goes on"))
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

extension CachedDataset {
    /// The file that lies in a folder as long as samples are being encoded into it.
    static func unfinished(_ folder: String) -> String { folder + "/encoding.unfinished" }
}

extension CachedDataset: SampleSource {
    public var count: Int { samples.count }

    public func load(_ number: Int) throws -> LoadedSample { .encoded(samples[number]) }

    public func identity(_ number: Int) throws -> RowIdentity {
        let fingerprint = try samples[number].fingerprint()
        return RowIdentity(text: [fingerprint], files: [])
    }

    public func name(_ number: Int) -> String { samples[number].path }

    public func checkFiles(_ number: Int) throws { _ = try samples[number].measure() }
}
