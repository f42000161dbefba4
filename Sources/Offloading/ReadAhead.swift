internal import Foundation
internal import Torch

/// Has the system read weights from the disk while something else computes.
public enum ReadAhead {
    /// A tensor of a mapped file.
    public struct Piece: Sendable {
        var file: any WeightFile
        var info: WeightInfo
    }

    /// Begins to read pieces in their order and returns at once.
    ///
    /// Nothing happens where they are more than what fits into memory: reading the last would drive
    /// out the first.
    public static func begin(_ pieces: [Piece]) {
        let size = pieces.reduce(0) { $0 + $1.info.byteCount }
        guard let memory = try? Device.cpu.memory(), size < memory.free else { return }
        Thread.detachNewThread {
            for piece in pieces { piece.file.prefetch(piece.info) }
        }
    }
}
