internal import Domains
internal import Files
internal import Foundation
internal import Residency
internal import Safetensors
internal import Torch

/// How far a run has come.
struct TrainingProgress: Hashable, Codable, Sendable {
    /// The epoch, from 0.
    var epoch = 0
    /// Micro-batches of the epoch that are done.
    var batch = 0
    /// Micro-steps since the start.
    var steps = 0
    /// Updates since the start.
    var updates = 0
    /// Seconds that it took.
    var seconds = 0.0
    /// The seed of the epoch's order, where it was drawn.
    var orderSeed: UInt64?
}

/// The file from which a run goes on as if it had not stopped.
struct TrainingState {
    /// What has to be the same, or the run would be another.
    struct Identity: Hashable, Codable, Sendable {
        var task: String
        var data: String
        var method: String
        var seed: UInt64
        var drawOrder: String
        var batchSize: Int
        var accumulation: Int
        var processes: Int
    }

    var progress: TrainingProgress
    var identity: Identity
    /// Of `weights.`, `optimizer.`, `average.` and `draws.`.
    var tensors: [String: Tensor]

    static func path(in folder: String) -> String { folder + "/training_state.safetensors" }

    /// Writes the file, which appears complete or not at all.
    func write(to folder: String) throws {
        try Folder.make(folder)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let metadata = try [
            "format": "pt",
            "progress": String(decoding: encoder.encode(progress), as: UTF8.self),
            "identity": String(decoding: encoder.encode(identity), as: UTF8.self),
        ]
        try SafetensorsWriter.write(
            to: Self.path(in: folder),
            tensors: tensors.sorted { $0.key < $1.key }.map {
                try TensorToWrite($0.key, $0.value, in: $0.value.dtype)
            }, metadata: metadata)
    }

    /// Reads the file; its tensors are copies, so that it may be replaced.
    ///
    /// - Returns: nil where there is none.
    static func read(from folder: String) throws -> TrainingState? {
        let path = path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let file = try SafetensorsFile(path: path)
        func decoded<T: Decodable>(_ key: String, _ type: T.Type) throws -> T {
            guard let text = file.metadata[key],
                let value = try? JSONDecoder().decode(type, from: Data(text.utf8))
            else {
                throw TrainingError(
                    reason: .foreignState("\(path): is no state of a training run"))
            }
            return value
        }
        let progress = try decoded("progress", TrainingProgress.self)
        let identity = try decoded("identity", Identity.self)
        do {
            try progress.check()
            try identity.check()
        } catch let error as NumberError {
            throw TrainingError(reason: .foreignState("\(path): \(error)"))
        }
        return TrainingState(
            progress: progress, identity: identity,
            tensors: Dictionary(
                try file.tensors.map { ($0.name, try Tensor.mapped($0, of: file)) }
            ) { first, _ in first })
    }

    /// Refuses to go on from a run that was set up otherwise.
    func check(against other: Identity, path: String) throws {
        func require<T: Equatable>(_ name: String, _ key: KeyPath<Identity, T>) throws {
            let (before, now) = (identity[keyPath: key], other[keyPath: key])
            guard before == now else {
                throw TrainingError(
                    reason: .foreignState(
                        "\(path): was written with another \(name): \(before), now \(now); "
                            + "train into another --output_path, or without --resume"))
            }
        }
        try require("task", \.task)
        try require("data set", \.data)
        try require("method", \.method)
        try require("seed", \.seed)
        try require("order of random numbers", \.drawOrder)
        try require("batch size", \.batchSize)
        if identity.drawOrder == DrawOrder.torch.rawValue {
            try require("number of processes", \.processes)
        }
        // Micro-steps are counted on each process; what an update has seen has to stay the same.
        let before = identity.processes * identity.accumulation
        let now = other.processes * other.accumulation
        guard before == now else {
            throw TrainingError(
                reason: .foreignState(
                    "\(path): was written with \(identity.processes) processes and accumulation "
                        + "\(identity.accumulation); with \(other.processes) processes, "
                        + "--gradient_accumulation_steps has to be such that both multiply to "
                        + "\(before)"))
        }
    }
}

extension Trainer {
    /// The seed of the run whose state lies in a folder; nil where there is none.
    ///
    /// - Throws: `SafetensorsError`, `TrainingError` for a file that is no state.
    public static func seed(ofStateIn folder: String) throws -> UInt64? {
        try TrainingState.read(from: folder)?.identity.seed
    }
}

extension TrainingProgress {
    /// - Throws: `NumberError` naming what no run can have come to.
    fileprivate func check() throws {
        try NumericField.epoch.check(epoch)
        try NumericField.batch.check(batch)
        try NumericField.steps.check(steps)
        try NumericField.updates.check(updates)
        try NumericField.seconds.check(seconds)
    }
}

extension TrainingState.Identity {
    /// - Throws: `NumberError` naming what no run can have been set up with.
    fileprivate func check() throws {
        try NumericField.batchSize.check(batchSize)
        try NumericField.accumulation.check(accumulation)
        try NumericField.processes.check(processes)
    }
}
