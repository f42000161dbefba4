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

/// A file from which a run goes on as if it had not stopped.
struct TrainingState {
    var progress: TrainingProgress
    var identity: RunIdentity
    /// The samples, in the order in which they are numbered.
    var rows: [RowIdentity]
    /// Of `weights.`, `optimizer.`, `average.` and `draws.`.
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
    ///   that are not finite.
    init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        progress = try Self.decoded(file, "progress")
        identity = try Self.decoded(file, "identity")
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
        (try? SafetensorsFile(path: path)).flatMap { try? decoded($0, "progress") }
    }

    /// Which run a file is of, from the header alone; nil for what is no state.
    static func identity(in path: String) -> RunIdentity? {
        (try? SafetensorsFile(path: path)).flatMap { try? decoded($0, "identity") }
    }

    private static func sum(of tensors: [String: Tensor]) throws -> String {
        var sum = ByteSum()
        try withoutGradients {
            for (_, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
                try tensor.detached().to(device: .cpu).contiguous().withBytes { sum.add($0) }
            }
        }
        return String(sum.value, radix: 16)
    }

    private static func decoded<T: Decodable>(_ file: SafetensorsFile, _ key: String) throws -> T {
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
