internal import Domains
internal import FileSupport
internal import Foundation
internal import Offloading
internal import Checkpoints
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

/// A file from which a run goes on as if it had not stopped.
struct TrainingState {
    var progress: TrainingProgress
    var identity: RunIdentity
    /// The samples, in the order in which they are numbered.
    var rows: [RowIdentity]
    /// Of `weights.`, `optimizer.`, `average.` and `sampler.`.
    var tensors: [String: Tensor]

    private static let rowsKey = "data.rows"

    /// Writes the file, which appears complete or not at all.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var tensors = tensors
        tensors[Self.rowsKey] = try .from(rows.flatMap(\.numbers), shape: [rows.count, 2])
        let metadata = try [
            "format": "pt", "sum": Self.sum(of: tensors),
            "progress": String(decoding: encoder.encode(progress), as: UTF8.self),
            "identity": String(decoding: encoder.encode(identity), as: UTF8.self),
        ]
        try SafetensorsWriter.write(
            to: path,
            tensors: tensors.sorted { $0.key < $1.key }.map {
                try TensorToWrite($0.key, $0.value, in: $0.value.dtype)
            }, metadata: metadata)
    }

    /// Opens a file; what its tensors show stays, also when the file is replaced.
    ///
    /// - Throws: `SafetensorsError`; `TrainingError` for a file that is no state, and for one with values
    ///   that are not finite; `NumberError` for numbers that no run comes to.
    init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        progress = try Self.progress(of: file)
        identity = try Self.identity(of: file)
        tensors = Dictionary(
            try file.tensors.map { ($0.name, try Tensor.mapped($0, of: file)) }
        ) { first, _ in first }
        guard try file.metadata["sum"] == Self.sum(of: tensors) else {
            throw TrainingError(
                reason: .foreignState("\(path): is damaged: its values do not fit its sum"))
        }
        let numbers = try tensors.removeValue(forKey: Self.rowsKey)?.values(as: Int64.self) ?? []
        rows = RowIdentity.rows(numbers)
        if let name = try Self.firstNotFinite(tensors) {
            throw TrainingError(
                reason: .foreignState("\(path): '\(name)' holds values that are not finite"))
        }
    }

    init(
        progress: TrainingProgress, identity: RunIdentity, rows: [RowIdentity],
        tensors: [String: Tensor]
    ) {
        self.progress = progress
        self.identity = identity
        self.rows = rows
        self.tensors = tensors
    }

    /// How far the run of a file has come, from the header alone; nil for what is no state.
    static func progress(in path: String) -> TrainingProgress? {
        (try? SafetensorsFile(path: path)).flatMap { try? progress(of: $0) }
    }

    /// Which run a file is of, from the header alone; nil for what is no state.
    static func identity(in path: String) -> RunIdentity? {
        (try? SafetensorsFile(path: path)).flatMap { try? identity(of: $0) }
    }

    private static func sum(of tensors: [String: Tensor]) throws -> String {
        let sums = try withoutGradients {
            try tensors.sorted { $0.key < $1.key }.map { _, tensor in
                try tensor.detached().to(device: .cpu).contiguous().withBytes(ByteDigest.of)
            }
        }
        return Digest.of(sums)
    }

    private static func progress(of file: SafetensorsFile) throws -> TrainingProgress {
        let progress = try decoded(file, "progress", TrainingProgress.self)
        try checked(file) { try progress.check() }
        return progress
    }

    private static func identity(of file: SafetensorsFile) throws -> RunIdentity {
        let identity = try decoded(file, "identity", RunIdentity.self)
        try checked(file) { try identity.check() }
        return identity
    }

    private static func checked(_ file: SafetensorsFile, _ check: () throws -> Void) throws {
        do { try check() } catch let error as NumberError {
            throw NumberError(
                name: "\(file.path): \(error.name)", expected: error.expected, found: error.found)
        }
    }

    private static func decoded<T: Decodable>(
        _ file: SafetensorsFile, _ key: String, _ type: T.Type
    ) throws -> T {
        guard let text = file.metadata[key],
            let value = try? JSONDecoder().decode(T.self, from: Data(text.utf8))
        else {
            throw TrainingError(
                reason: .foreignState(
                    "\(file.path): is no state of a training run of this version of flux2"))
        }
        return value
    }

    /// The first tensor, by name, that holds an infinite value or NaN.
    static func firstNotFinite(_ tensors: [String: Tensor]) throws -> String? {
        try withoutGradients {
            try tensors.sorted { $0.key < $1.key }.first { _, tensor in
                try tensor.dtype.isFloatingPoint && !tensor.isFinite().allTrue()
            }?.key
        }
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

extension RunIdentity {
    /// - Throws: `NumberError` naming what no run can have been set up with.
    fileprivate func check() throws {
        try NumericField.accumulation.check(accumulation)
        try NumericField.processes.check(processes)
    }
}
