import Foundation
@testable import Checkpoints
import Offloading
import TestSupport
import Torch

/// One of the tiny GGUF files, to be written again in another way; long arrays are left out.
struct GGUFCopy {
    struct Piece {
        var tensor: GGUFTensor
        var bytes: [UInt8]
    }

    static func path(_ name: String) -> String { "\(Reference.own)/gguf/\(name).gguf" }

    var entries: [String: GGUFValue]
    var pieces: [Piece]

    init(_ name: String) throws {
        let file = try GGUFFile(path: Self.path(name))
        entries = file.metadata.filter { entry in
            if case .array = entry.value { false } else { true }
        }
        pieces = file.tensors.map { Piece(tensor: $0, bytes: Array(file.bytes(of: $0))) }
    }

    /// Tensors of a safetensors file that the format can have, under the same names.
    init(_ checkpoint: Checkpoint) {
        entries = ["general.architecture": .string("other")]
        let types: [WeightType: GGUFTensorType] = [
            .plain(.F32): .F32, .plain(.F16): .F16, .plain(.BF16): .BF16,
        ]
        pieces = checkpoint.files.flatMap { file in
            file.weights.compactMap { info in
                types[info.type].map { type in
                    let tensor = GGUFTensor(
                        name: info.name, type: type, shape: info.shape, range: info.range)
                    return Piece(tensor: tensor, bytes: Array(file.bytes(of: info)))
                }
            }
        }
    }

    /// Calls the architecture, and what is said about it, by another name.
    mutating func rename(_ old: String, to new: String) {
        entries = Dictionary(
            uniqueKeysWithValues: entries.map { key, value in
                (key.hasPrefix(old + ".") ? new + key.dropFirst(old.count) : key, value)
            })
        entries["general.architecture"] = .string(new)
    }

    /// Changes bytes at the start of a tensor.
    mutating func overwrite(_ name: String, with bytes: [UInt8]) {
        guard let place = pieces.firstIndex(where: { $0.tensor.name == name }) else { return }
        pieces[place].bytes.replaceSubrange(0..<bytes.count, with: bytes)
    }

    func write(to path: String) throws {
        var header = Array("GGUF".utf8) + bytes(UInt32(3)) + bytes(UInt64(pieces.count))
        header += bytes(UInt64(entries.count)) + entries.flatMap { text($0) + encoded($1) }
        var data: [UInt8] = []
        for piece in pieces {
            header += text(piece.tensor.name) + bytes(UInt32(piece.tensor.shape.count))
            header += piece.tensor.shape.reversed().flatMap { bytes(UInt64($0)) }
            header += bytes(piece.tensor.type.rawValue) + bytes(UInt64(data.count))
            data += padded(piece.bytes)
        }
        try Data(padded(header) + data).write(to: URL(fileURLWithPath: path))
    }

    /// Writes the same values one by one, those of blocks in float32.
    func writeValues(to path: String) throws {
        let tensors = try pieces.map { piece in
            try TensorToWrite(piece.tensor.name, values(piece))
        }
        try SafetensorsWriter.write(to: path, tensors: tensors)
    }

    private func values(_ piece: Piece) throws -> Tensor {
        let plain: [GGUFTensorType: DType] = [.F32: .float32, .F16: .float16, .BF16: .bfloat16]
        let (tensor, type) = (piece.tensor, piece.tensor.type)
        return try piece.bytes.withUnsafeBytes { bytes in
            if let dtype = plain[type] {
                return try Tensor.from(bytes: bytes, shape: tensor.shape, dtype: dtype)
            }
            guard let format = GGUFBlockType(rawValue: type.rawValue) else {
                preconditionFailure("blocks of \(type)")
            }
            let rows = [tensor.shape[0], bytes.count / tensor.shape[0]]
            return try Tensor.from(bytes: bytes, shape: rows, dtype: .uint8)
                .dequantizedBlocks(format, dtype: .float32)
        }
    }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + text.utf8 }

    private func encoded(_ value: GGUFValue) -> [UInt8] {
        switch value {
        case .integer(let value): bytes(UInt32(11)) + bytes(Int64(value))
        case .large(let value): bytes(UInt32(10)) + bytes(value)
        case .number(let value): bytes(UInt32(12)) + bytes(value.bitPattern)
        case .boolean(let value): bytes(UInt32(7)) + [value ? 1 : 0]
        case .string(let value): bytes(UInt32(8)) + text(value)
        case .array: preconditionFailure("arrays were left out")
        }
    }

    private func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (32 - bytes.count % 32) % 32)
    }
}
