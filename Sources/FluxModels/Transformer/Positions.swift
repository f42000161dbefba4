public import Torch

/// Positions of tokens: time, row, column and place in the text.
///
/// - Source: `Flux2UnitImageIDs`, `process_text_ids`, DiffSynth-Studio.
public enum Positions {
    /// Text token i is at (0, 0, 0, i).
    ///
    /// - Shapes: → [count, 4] of int64.
    public static func text(_ count: Int) throws -> Tensor {
        try tensor((0..<count).map { [0, 0, 0, $0] })
    }

    /// The token of row r and column c is at (t, r, c, 0), row by row.
    ///
    /// - Parameter time: 0 for the image being made, 10, 20, … for references.
    /// - Shapes: → [rows·columns, 4] of int64.
    public static func grid(rows: Int, columns: Int, time: Int = 0) throws -> Tensor {
        try tensor(
            (0..<rows).flatMap { row in (0..<columns).map { [time, row, $0, 0] } })
    }

    /// The time coordinate of the reference image with this index.
    public static func time(ofReference index: Int) -> Int { 10 + 10 * index }

    private static func tensor(_ rows: [[Int]]) throws -> Tensor {
        try .from(rows.joined().map(Int64.init), shape: [rows.count, 4])
    }
}
