internal import FluxModels
internal import Checkpoints
internal import Offloading
public import Torch

/// The changes of a LoRA file for the parameters of one model.
public struct LoRAChanges {
    /// By canonical parameter name.
    public var adapters: [String: Adapter] = [:]
    /// Names of modules that the model does not have.
    public var unmatched: [String] = []
    /// The same of modules that are said to be a text encoder's.
    public var unmatchedOfTextEncoder: [String] = []
    /// The tensors of ``unmatchedOfTextEncoder``.
    public var ignoredTensors = 0

    /// The same in another type and place.
    public func to(dtype: DType, device: Device) throws -> LoRAChanges {
        var changes = self
        changes.adapters = try adapters.mapValues { try $0.to(dtype: dtype, device: device) }
        return changes
    }

    /// Refuses to lose what the model has no place for.
    ///
    /// - Throws: `LoRAError` naming the first of the file's modules that the model does not have.
    public func requireAll(of file: LoRAFile) throws {
        let lost = unmatched + unmatchedOfTextEncoder
        if let first = lost.first {
            throw LoRAError(path: file.path, reason: .unmatched(count: lost.count, first: first))
        }
    }

    /// The changes of some parameters alone.
    public func of(_ keys: Set<String>) -> LoRAChanges {
        var changes = LoRAChanges()
        changes.adapters = adapters.filter { keys.contains($0.key) }
        return changes
    }
}

extension LoRAChanges {
    fileprivate mutating func miss(_ module: LoRAFile.Module) {
        let name = module.prefix + module.name
        guard module.component == .textEncoder else { return unmatched.append(name) }
        unmatchedOfTextEncoder.append(name)
        ignoredTensors += module.tensors.count
    }
}

extension LoRAFile {
    /// Brings every module to its place in a model.
    ///
    /// - Throws: `LoRAError` when nothing fits, something that seems to does not, a weight would be
    ///   changed twice, or the file is a LoRA of FLUX.1.
    public func changes(for targets: AdapterTargets) throws -> LoRAChanges {
        if let module = moduleOfFlux1 { throw LoRAError(path: path, reason: .ofFlux1(module)) }
        var changes = LoRAChanges()
        var changedBy: [String: String] = [:]
        for module in modules {
            let places = targets[module.name]
            guard !places.isEmpty else {
                changes.miss(module)
                continue
            }
            for (place, adapter) in zip(places, try adapters(of: module, at: places, targets)) {
                changes.adapters[place.key] = adapter
                let name = module.prefix + module.name
                guard let other = changedBy.updateValue(name, forKey: place.key) else { continue }
                throw LoRAError(
                    path: path, reason: .twoForOnePlace(place.key, first: other, second: name))
            }
        }
        guard !changes.adapters.isEmpty else {
            throw LoRAError(
                path: path,
                reason: .noMatch(
                    modules: modules.count, first: modules[0].prefix + modules[0].name))
        }
        return changes
    }

    private func adapters(
        of module: Module, at places: [AdapterTarget], _ targets: AdapterTargets
    ) throws -> [Adapter] {
        let reader = ModuleReader(path: path, file: file, module: module)
        let delta = try reader.delta()
        let own = targets.shapes[places[0].key] ?? []
        let expected = [places[0].moduleRows(own[0]), own[1]]
        guard delta.shape == expected else {
            throw LoRAError(
                path: path,
                reason: .unexpectedShape(
                    module.prefix + module.name, expected: expected, found: delta.shape))
        }
        let scale = try reader.scale(of: delta)
        return try places.map { place in
            let ranges = place.ranges(of: expected[0])
            return try Adapter(
                place.rows == .all ? delta : delta.rows(ranges).withoutEmptyRank(place),
                scale: scale, magnitude: reader.magnitude(ranges, place))
        }
    }
}

/// Reads the tensors of a module.
private struct ModuleReader {
    let path: String
    let file: SafetensorsFile
    let module: LoRAFile.Module

    private var name: String { module.prefix + module.name }

    private func tensor(_ part: LoRAKey.Part) throws -> Tensor? {
        guard let info = module.tensors[part] else { return nil }
        let tensor = try Tensor.mapped(info, of: file)
        guard tensor.dtype.isFloatingPoint else {
            throw LoRAError(
                path: path, reason: .unsupported("'\(info.name)' of \(tensor.dtype.name)"))
        }
        guard try tensor.to(dtype: .float32).isFinite().allTrue() else {
            throw LoRAError(path: path, reason: .notFinite(info.name))
        }
        return tensor
    }

    private func matrix(_ part: LoRAKey.Part) throws -> Tensor? {
        guard let tensor = try tensor(part) else { return nil }
        // 1x1 convolutions are matrices.
        let shape = tensor.shape
        guard shape.count >= 2, shape.dropFirst(2).allSatisfy({ $0 == 1 }) else {
            throw LoRAError(
                path: path, reason: .unsupported("'\(name)' with a tensor of shape \(shape)"))
        }
        return shape.count == 2 ? tensor : try tensor.reshaped([shape[0], shape[1]])
    }

    private func required(_ part: LoRAKey.Part) throws -> Tensor {
        guard let tensor = try matrix(part) else {
            throw LoRAError(path: path, reason: .incomplete(name, missing: part.rawValue))
        }
        return tensor
    }

    func delta() throws -> WeightDelta {
        let parts = Set(module.tensors.keys)
        try requireOneForm(parts)
        guard !parts.contains(.bias) else {
            throw LoRAError(path: path, reason: .unsupported("'\(name)' with a bias"))
        }
        if !parts.isDisjoint(with: [.down, .up]) { return try lowRank() }
        if !parts.isDisjoint(with: [.hadaW1A, .hadaW1B, .hadaW2A, .hadaW2B]) {
            return try hadamard()
        }
        if parts.contains(.diff) { return .dense(try required(.diff)) }
        guard !parts.isDisjoint(with: [.lokrW1, .lokrW1A, .lokrW2, .lokrW2A]) else {
            throw LoRAError(path: path, reason: .incomplete(name, missing: "matrices"))
        }
        return try .kronecker(
            factor(.lokrW1, .lokrW1A, .lokrW1B), factor(.lokrW2, .lokrW2A, .lokrW2B))
    }

    /// Of two forms of a change one would be lost.
    private func requireOneForm(_ parts: Set<LoRAKey.Part>) throws {
        let forms: [Set<LoRAKey.Part>] = [
            [.down, .up], [.hadaW1A, .hadaW1B, .hadaW2A, .hadaW2B], [.diff],
            [.lokrW1, .lokrW1A, .lokrW1B, .lokrW2, .lokrW2A, .lokrW2B],
        ]
        let found = forms.compactMap { parts.intersection($0).min { $0.rawValue < $1.rawValue } }
            .compactMap { module.tensors[$0]?.name }
        guard found.count > 1 else { return }
        throw LoRAError(
            path: path, reason: .twoForOnePlace(name, first: found[0], second: found[1]))
    }

    private func lowRank() throws -> WeightDelta {
        let (down, up) = try (required(.down), required(.up))
        try check(up, down)
        return .lowRank(down: down, up: up)
    }

    private func hadamard() throws -> WeightDelta {
        let (up1, down1) = try (required(.hadaW1A), required(.hadaW1B))
        let (up2, down2) = try (required(.hadaW2A), required(.hadaW2B))
        try check(up1, down1)
        try check(up2, down2)
        guard up1.size(0) == up2.size(0), down1.size(1) == down2.size(1) else {
            throw LoRAError(
                path: path, reason: .rankMismatch(name, down: down2.shape, up: up1.shape))
        }
        return .hadamard(up1: up1, down1: down1, up2: up2, down2: down2)
    }

    /// A factor of a Kronecker product, itself whole or a product.
    private func factor(
        _ whole: LoRAKey.Part, _ a: LoRAKey.Part, _ b: LoRAKey.Part
    ) throws -> Tensor {
        if let tensor = try matrix(whole) { return tensor }
        let (up, down) = try (required(a), required(b))
        try check(up, down)
        return try up.matmul(down)
    }

    private func check(_ up: Tensor, _ down: Tensor) throws {
        guard up.size(1) == down.size(0) else {
            throw LoRAError(
                path: path, reason: .rankMismatch(name, down: down.shape, up: up.shape))
        }
    }

    /// Alpha over rank; a Kronecker product of two whole factors has no rank and takes none.
    func scale(of delta: WeightDelta) throws -> Double {
        let factorRank = try matrix(.lokrW1B)?.size(0) ?? matrix(.lokrW2B)?.size(0)
        guard let alpha = try tensor(.alpha), let rank = delta.rank ?? factorRank else {
            return module.scaleOfMetadata ?? 1
        }
        guard alpha.count == 1 else {
            throw LoRAError(path: path, reason: .unsupported("'\(name)' with several alphas"))
        }
        let scale = try alpha.item() / Double(rank)
        guard scale.isFinite else {
            throw LoRAError(
                path: path, reason: .unsupported("'\(name)' of rank \(rank)"))
        }
        return scale
    }

    func magnitude(_ ranges: [Range<Int>], _ place: AdapterTarget) throws -> Adapter.Magnitude? {
        guard let lengths = try tensor(.rowMagnitude) ?? tensor(.magnitude) else { return nil }
        // Lengths of columns lie in one row, lengths of rows in a column or without a second axis.
        let ofColumns = lengths.rank == 2 && lengths.size(0) == 1 && lengths.size(1) > 1
        let flat = try lengths.reshaped([-1])
        if ofColumns {
            guard place.rows == .all else {
                throw LoRAError(
                    path: path, reason: .unsupported("column-wise DoRA of the fused '\(name)'"))
            }
            return .columns(flat)
        }
        let parts = try ranges.map { try flat.slice($0, along: 0) }
        return .rows(parts.count == 1 ? parts[0] : try .concatenating(parts, along: 0))
    }
}

extension WeightDelta {
    /// Drops the ranks that belong to other parts of a fused projection: where three LoRAs were
    /// joined, each uses its own third of the ranks, and the rest of its rows are zero.
    fileprivate func withoutEmptyRank(_ place: AdapterTarget) throws -> WeightDelta {
        guard case .part(let part, let parts) = place.rows, case .lowRank(let down, let up) = self,
            down.size(0) % parts == 0
        else { return self }
        let third = down.size(0) / parts
        let own = part * third..<(part + 1) * third
        for other in 0..<parts {
            let columns = try up.slice(other * third..<(other + 1) * third, along: 1)
            let isZero = try columns.to(dtype: .float32).abs().maximum().item() == 0
            guard isZero == (other != part) else { return self }
        }
        return try .lowRank(
            down: down.slice(own, along: 0), up: up.slice(own, along: 1).contiguous())
    }
}
