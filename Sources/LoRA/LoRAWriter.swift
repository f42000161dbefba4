internal import Foundation
internal import FileSupport
internal import Offloading
internal import Checkpoints
public import Torch

/// Writes low-rank changes in the naming of any program.
public struct LoRAWriter {
    private let dialect: LoRADialect
    private let layers: [LoRALayer]
    private let notes: [String: String]

    /// - Parameters:
    ///   - adapters: changes by canonical parameter name.
    ///   - metadata: what the file says about itself, besides what its naming asks for.
    /// - Throws: `LoRAError` for changes that are not of low rank, which other programs' names do
    ///   not reach.
    public init(
        _ adapters: [String: Adapter], dialect: LoRADialect, source: String,
        metadata: [String: String] = [:]
    ) throws {
        self.dialect = dialect
        notes = metadata
        let canonical = try adapters.sorted { $0.key < $1.key }.map { key, adapter in
            guard case .lowRank(let down, let up) = adapter.delta else {
                throw LoRAError(
                    path: source,
                    reason: .unsupported("'\(key)' is not of low rank; writing it as such"))
            }
            guard adapter.magnitude == nil else {
                throw LoRAError(
                    path: source,
                    reason: .unsupported("'\(key)' has a magnitude (DoRA); writing it as LoRA"))
            }
            return (key, LoRALayer(module: "", down: down, up: up, scale: adapter.scale))
        }
        layers =
            dialect.usesBFLNames
            ? try LoRALayer.joined(canonical)
            : canonical.map { $1.named(String($0.dropLast(".weight".count))) }
    }

    /// The one name that PEFT looks for in a folder, beside `adapter_config.json`.
    public static let nameOfPEFT = "adapter_model.safetensors"

    /// Where the weights go that are written to a path: for PEFT into a folder of that name.
    ///
    /// - Throws: `LoRAError` for a file that PEFT would not find.
    public static func weightsPath(_ path: String, _ dialect: LoRADialect) throws -> String {
        guard dialect == .peft, URL(fileURLWithPath: path).lastPathComponent != nameOfPEFT else {
            return path
        }
        guard !path.hasSuffix(".safetensors") else {
            throw LoRAError(path: path, reason: .needsFolder)
        }
        return (path.hasSuffix("/") ? String(path.dropLast()) : path) + "/" + nameOfPEFT
    }

    /// Finds out before long work whether the files could be written.
    ///
    /// - Throws: `FileError`, `LoRAError`.
    public static func checkWritable(
        _ path: String, _ dialect: LoRADialect, overwrite: Bool
    ) throws {
        let weights = try weightsPath(path, dialect)
        let folder = AtomicFile.folder(of: weights)
        guard dialect == .peft else {
            return try AtomicFile.checkWritable(weights, overwrite: overwrite)
        }
        guard FileManager.default.fileExists(atPath: folder) else {
            // It is made when there is something to write into it.
            return try AtomicFile.checkWritable(folder, overwrite: false)
        }
        try AtomicFile.checkWritable(weights, overwrite: overwrite)
        try AtomicFile.checkWritable(folder + "/adapter_config.json", overwrite: overwrite)
    }

    /// Writes the file; for PEFT a folder with it and `adapter_config.json`.
    ///
    /// - Returns: where the weights are.
    /// - Throws: `FileError`, `SafetensorsError`, `LoRAError`.
    @discardableResult
    public func write(to path: String, overwrite: Bool) throws -> String {
        try Self.checkWritable(path, dialect, overwrite: overwrite)
        let weights = try Self.weightsPath(path, dialect)
        guard dialect == .peft else {
            try writeWeights(to: weights, overwrite)
            return weights
        }
        let folder = AtomicFile.folder(of: weights)
        if FileManager.default.fileExists(atPath: folder) {
            try writeForPEFT(into: folder, overwrite)
        } else {
            try AtomicFolder.write(folder) { try writeForPEFT(into: $0, overwrite) }
        }
        return weights
    }

    private func writeForPEFT(into folder: String, _ overwrite: Bool) throws {
        try writeWeights(to: folder + "/" + Self.nameOfPEFT, overwrite)
        let settings = LoRASettings(layers).peft(targets: layers.map(\.module))
        try AtomicFile.write(
            folder + "/adapter_config.json", bytes: try settings.json(), overwrite: overwrite)
    }

    private func writeWeights(to path: String, _ overwrite: Bool) throws {
        try SafetensorsWriter.write(
            to: path, tensors: layers.flatMap(tensors), metadata: try metadata(),
            overwrite: overwrite)
    }

    /// What does not hold for the same weights under other names: scales of one naming, and sums.
    private static let notesOfOneFile = [
        "lora_adapter_metadata", "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256",
    ]

    private func metadata() throws -> [String: String] {
        var metadata = notes.filter { !Self.notesOfOneFile.contains($0.key) }
        metadata["format"] = "pt"
        if dialect == .diffusers {
            let settings = LoRASettings(layers).diffusers(targets: layers.map(\.module))
            metadata["lora_adapter_metadata"] = String(decoding: try settings.json(), as: UTF8.self)
        }
        return metadata
    }

    private func tensors(of layer: LoRALayer) throws -> [TensorToWrite] {
        let name =
            dialect.prefix
            + (dialect == .kohya ? layer.module.replacing(".", with: "_") : layer.module)
        let (down, up) =
            switch dialect {
            case .diffsynth: ("lora_A.default.weight", "lora_B.default.weight")
            case .diffusers, .peft, .comfyui: ("lora_A.weight", "lora_B.weight")
            case .kohya: ("lora_down.weight", "lora_up.weight")
            }
        var tensors = try [
            write(layer.down, as: "\(name).\(down)"), write(layer.up, as: "\(name).\(up)"),
        ]
        // diffusers and PEFT note scales in their settings; kohya's programs expect an alpha.
        let isNoted = dialect == .diffusers || dialect == .peft
        if dialect == .kohya || (layer.scale != 1 && !isNoted) {
            tensors.append(try write(.from([Float(layer.alpha)], shape: []), as: "\(name).alpha"))
        }
        return tensors
    }

    private func write(_ tensor: Tensor, as name: String) throws -> TensorToWrite {
        guard let type = ElementType(tensor.dtype) else {
            throw LoRAError(path: name, reason: .unsupported(tensor.dtype.name))
        }
        return TensorToWrite(name: name, type: type, shape: tensor.shape) { sink in
            try tensor.contiguous().withBytes { try sink($0) }
        }
    }
}

extension LoRADialect {
    var usesBFLNames: Bool { self == .comfyui || self == .kohya }

    var prefix: String {
        switch self {
        case .diffsynth: ""
        case .diffusers: "transformer."
        case .peft: "base_model.model."
        case .comfyui: "diffusion_model."
        case .kohya: "lora_unet_"
        }
    }
}

/// The two matrices of a module with their scale.
struct LoRALayer {
    var module: String
    /// [r, in]
    var down: Tensor
    /// [out, r]
    var up: Tensor
    /// Alpha over rank.
    var scale: Double

    var rank: Int { down.size(0) }
    var alpha: Double { scale * Double(rank) }

    func named(_ module: String) -> LoRALayer {
        var layer = self
        layer.module = module
        return layer
    }

    /// Puts canonical layers together as Black Forest Labs' modules.
    static func joined(_ layers: [(key: String, layer: LoRALayer)]) throws -> [LoRALayer] {
        var fused: [String: [Int: LoRALayer]] = [:]
        var result: [LoRALayer] = []
        for (key, layer) in layers {
            let (module, rows) = AdapterTargets.bfl(key)
            switch rows {
            case .all: result.append(layer.named(module))
            case .swapHalves:
                let (first, second) = try layer.up.halves(along: 0)
                var swapped = layer.named(module)
                swapped.up = try .concatenating([second, first], along: 0)
                result.append(swapped)
            case .part(let part, _): fused[module, default: [:]][part] = layer
            }
        }
        for (module, parts) in fused { result.append(try Self.fused(module, parts)) }
        return result.sorted { $0.module < $1.module }
    }

    /// One module for three projections.
    ///
    /// Where all look through the same matrix, it is kept; else each gets its own third of the
    /// ranks, and the others' rows there are zero.
    private static func fused(_ module: String, _ parts: [Int: LoRALayer]) throws -> LoRALayer {
        let count = 3
        let all = (0..<count).compactMap { parts[$0] }
        guard let first = all.first else { preconditionFailure("no part of \(module)") }
        if all.count == count,
            try all.allSatisfy({ try $0.scale == first.scale && $0.down.isEqual(to: first.down) })
        {
            return LoRALayer(
                module: module, down: first.down,
                up: try .concatenating(all.map(\.up), along: 0), scale: first.scale)
        }
        // The largest, so that no other part is divided by zero.
        let scale = all.map(\.scale).max { abs($0) < abs($1) } ?? 1
        let rank = all.map(\.rank).max() ?? 0
        let rows = first.up.size(0)
        var (downs, ups): ([Tensor], [Tensor]) = ([], [])
        for part in 0..<count {
            let layer = parts[part]
            let own = layer?.rank ?? 0
            let down = try layer?.down ?? .zeros([0, first.down.size(1)], dtype: first.down.dtype)
            downs.append(try down.padded([0, 0, 0, rank - own]))
            let up = try layer?.up ?? .zeros([rows, 0], dtype: first.up.dtype)
            let ratio = scale == 0 ? 1 : (layer?.scale ?? scale) / scale
            ups.append(
                try (ratio == 1 ? up : up * ratio)
                    .padded([part * rank, (count - part) * rank - own]))
        }
        return LoRALayer(
            module: module, down: try .concatenating(downs, along: 0),
            up: try .concatenating(ups, along: 0), scale: scale)
    }
}
