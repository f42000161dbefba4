public import Torch

/// Weights that are used one right after the other and are therefore loaded together.
public struct WeightGroup {
    /// What errors and plans call it.
    public let name: String
    /// In the order in which they are used.
    public let parameters: [Parameter]
    /// Their values on the host, one for each parameter.
    let weights: [StoredWeight]
    /// Where in files the values are; empty for values that are in memory.
    let pieces: [ReadAhead.Piece]

    /// - Parameters:
    ///   - weights: on the CPU, shown from mapped files where possible.
    ///   - pieces: where in files they are.
    public init(
        name: String, parameters: [Parameter], weights: [StoredWeight],
        pieces: [ReadAhead.Piece] = []
    ) throws {
        self.name = name
        self.parameters = parameters
        self.weights = try weights.map { weight in
            try weight.replacing(weight.tensors.map { try $0.contiguous() })
        }
        self.pieces = pieces
    }

    /// The size of all values with their scales, in bytes.
    public var byteCount: Int { weights.reduce(0) { $0 + $1.byteCount } }
}

/// What a stream has done since it was made.
public struct StreamCounters: Hashable, Sendable, Codable {
    /// Groups that were loaded, each time counted.
    public var units = 0
    /// Bytes that went into slots.
    public var moved = 0
    /// Bytes that were not in memory and came from files.
    public var read = 0
    /// Uses that had to wait, and for how long in seconds.
    public var waits = 0
    /// Seconds of all waits.
    public var waited = 0.0
    /// Groups asked for out of order, which costs what was loaded for nothing.
    public var restarts = 0
    /// The most groups that were in slots at once.
    public var mostOpen = 0

    /// Nothing has been done.
    public init() {}

    /// Adds what another stream has done.
    public static func += (a: inout StreamCounters, b: StreamCounters) {
        a.units += b.units
        a.moved += b.moved
        a.read += b.read
        a.waits += b.waits
        a.waited += b.waited
        a.restarts += b.restarts
        a.mostOpen = max(a.mostOpen, b.mostOpen)
    }
}
