internal import FileSupport
internal import Flux2
internal import FluxModels
internal import Foundation
internal import Torch

/// The first stage of split training: encodes all samples and writes a file for each.
///
/// Files that an earlier run has written from the same sample with the same models stay.
struct EncodingRun {
    let settings: TrainingSettings
    let parts: TrainingParts
    let encoder: SampleEncoder
    let group: ProcessGroup
    /// What identifies the models.
    let models: String

    /// - Returns: the folder, and how many samples were encoded and how many were there.
    func callAsFunction(
        _ source: any SampleSource, isolation: isolated (any Actor)? = #isolation,
        onEvent: (TrainingEvent) -> Void
    ) async throws -> (folder: String, encoded: Int, present: Int) {
        let length = try DataOrder.length(source.count, settings.data.repeats)
        let order = (0..<length).map { $0 % source.count }
        let share = EpochPlan(
            order: order, batchSize: 1, rank: group.rank, processes: group.size
        ) { _ in "" }.batches.flatMap { $0 }
        let folder = "\(settings.output.folder)/\(group.rank)"
        try Folder.make(folder)
        AtomicFile.discardAbandoned(in: folder) { $0.hasSuffix(".safetensors") }
        let sampler = try NoiseSampler(
            seed: settings.seed, order: settings.drawOrder, device: parts.device)
        var prefetcher = Prefetcher(
            source, numbers: share.map(\.sample), workers: settings.data.workers)
        defer { prefetcher.cancel() }
        var present = 0
        for (number, placed) in share.enumerated() {
            guard let loaded = await prefetcher.next() else { break }
            try Task.checkCancellation()
            let file = CachedSample(path: "\(folder)/\(number).safetensors")
            let item = try item(of: loaded, for: file)
            let fingerprint = Digest.of(
                try [
                    models, item.fingerprint(), "\(placed.place)", "\(settings.seed)",
                    settings.drawOrder.rawValue,
                ])
            if settings.drawOrder == .sample, (try? file.fingerprint()) == fingerprint {
                present += 1
            } else {
                try write(item, placed, to: file, sampler, fingerprint)
            }
            onEvent(.encoded(done: number + 1, of: share.count))
        }
        try removeLeftovers(in: folder, from: share.count)
        return (folder, share.count - present, present)
    }

    private func item(
        of loaded: Result<LoadedSample, any Error>, for file: CachedSample
    ) throws -> TrainingItem {
        guard case .item(let item) = try loaded.get() else {
            throw DataError(path: file.path, reason: .unfit("is encoded already"))
        }
        return item
    }

    private func write(
        _ item: TrainingItem, _ placed: PlacedSample, to file: CachedSample,
        _ sampler: NoiseSampler,
        _ fingerprint: String
    ) throws {
        try withoutGradients {
            let sample = try encoder(item)
            try sampler.begin(epoch: 0, place: placed.place)
            // Drawn in DiffSynth's order: the initial noise lies as the grid does.
            let noise =
                try sample.noise ?? sampler.initialNoise(like: sample.latents)
            try file.write(sample, noise: noise, fingerprint: fingerprint)
        }
    }

    /// A longer run before this one has left samples that nobody has asked for now.
    private func removeLeftovers(in folder: String, from count: Int) throws {
        for name in Self.contents(folder) where name.hasSuffix(".safetensors") {
            guard let number = Int(name.dropLast(".safetensors".count)), number >= count else {
                continue
            }
            try FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }

    private static func contents(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    // MARK: The folder of all processes

    /// Says that the folder does not hold all samples yet.
    func begin() throws {
        try Folder.make(settings.output.folder)
        try AtomicFile.write(CachedDataset.unfinished(settings.output.folder), bytes: [])
    }

    /// Removes what more processes have left before, once all of these are done.
    func finish() throws {
        let folder = settings.output.folder
        for name in Self.contents(folder) {
            guard let rank = Int(name), rank >= group.size else { continue }
            for file in Self.contents(folder + "/" + name) {
                let sample = CachedSample(path: "\(folder)/\(name)/\(file)")
                // What is none of this program's stays.
                guard let mark = try? sample.fingerprint(), !mark.isEmpty else { continue }
                unlink(sample.path)
            }
            rmdir(folder + "/" + name)
        }
        unlink(CachedDataset.unfinished(folder))
    }
}
