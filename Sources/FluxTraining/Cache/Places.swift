internal import FluxModels
internal import Torch

/// The positions that are written beside encoded samples.
enum Places {
    static func grid(rows: Int, columns: Int) throws -> Tensor {
        try Positions.grid(rows: rows, columns: columns)
    }

    static func text(_ count: Int) throws -> Tensor { try Positions.text(count) }
}
