public import FluxModels
internal import Checkpoints
internal import Torch

/// Which model a file is for, as far as the file itself tells.
extension LoRAFile {
    /// The name of the model that it was trained on, where its notes say so.
    public var baseModel: String? { metadata["flux2.base_model"].flatMap { $0.isEmpty ? nil : $0 } }

    /// The published transformer that has all of the file's modules, or the most of them.
    public var publishedModel: PublishedTransformer? {
        let scores = PublishedTransformer.allCases.map { model in
            let targets = AdapterTargets(model.shapes)
            return (model, modules.count { fits($0, targets) })
        }
        let best = scores.max { $0.1 < $1.1 }
        return best.flatMap { $0.1 > 0 ? $0.0 : nil }
    }

    /// Whether the model has the module with as many inputs.
    private func fits(_ module: Module, _ targets: AdapterTargets) -> Bool {
        guard let place = targets[module.name].first, let shape = targets.shapes[place.key] else {
            return false
        }
        guard let down = module.tensors[.down] else { return true }
        return down.shape.count >= 2 && down.shape[1] == shape[1]
    }

    /// A module that FLUX.1 has and FLUX.2 has not; nil where nothing speaks for FLUX.1.
    ///
    /// FLUX.1 has 19 double blocks, where the largest FLUX.2 has 8, and modulates in every block.
    public var moduleOfFlux1: String? {
        let places = modules.map { ($0, BlockModule($0.name)) }
        let found =
            places.first { $0.1.map(Self.isOfFlux1) ?? false }
            ?? places.first { $0.1.map { $0.isDouble && $0.index == 18 } ?? false }
        // A file with FLUX.2's own modules is of some larger or unknown FLUX.2.
        let isOfFlux2 = places.contains { module, place in
            module.name.replacing("_", with: ".").contains("stream.modulation")
                || place?.rest == "attn.to.qkv.mlp.proj"
        }
        let isLarger = places.contains { $0.1.map { $0.isDouble && $0.index > 18 } ?? false }
        return isOfFlux2 || isLarger ? nil : found.map { $0.0.prefix + $0.0.name }
    }

    private static func isOfFlux1(_ place: BlockModule) -> Bool {
        let isSplit = ["attn.to.q", "attn.to.k", "attn.to.v"].contains(place.rest)
        return flux1Modules.contains(place.rest) || (!place.isDouble && isSplit)
    }

    /// Behind the block's number, with dots for underscores.
    private static let flux1Modules: Set<String> = [
        "modulation.lin", "img.mod.lin", "txt.mod.lin", "norm1.linear", "norm1.context.linear",
        "norm.linear", "proj.mlp", "proj.out", "ff.net.0.proj", "ff.net.2", "ff.context.net.0.proj",
        "ff.context.net.2",
    ]

    /// Refuses to apply a part of the file as if it were the whole.
    ///
    /// - Parameter unmatched: modules that the model does not have, prefixes included.
    /// - Throws: `LoRAError` that counts those of transformer blocks.
    public func requireAllBlocks(without unmatched: [String]) throws {
        let names = Set(unmatched)
        let ofBlocks = modules.filter { BlockModule($0.name) != nil }.map { $0.prefix + $0.name }
        let lost = ofBlocks.filter(names.contains)
        guard let first = lost.first else { return }
        throw LoRAError(
            path: path, reason: .partial(count: lost.count, of: ofBlocks.count, first: first))
    }
}

/// The name of a module that lies in a numbered block, taken apart.
struct BlockModule {
    var isDouble: Bool
    var index: Int
    /// What stands behind the number, with dots for underscores.
    var rest: String

    /// - Returns: nil for a module outside the blocks.
    init?(_ name: String) {
        let dotted = name.replacing("_", with: ".")
        let kinds = [
            ("single.transformer.blocks.", false), ("transformer.blocks.", true),
            ("double.blocks.", true), ("single.blocks.", false),
        ]
        guard let (start, isDouble) = kinds.first(where: { dotted.hasPrefix($0.0) }) else {
            return nil
        }
        let parts = dotted.dropFirst(start.count).split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let index = Int(parts[0]), index >= 0 else { return nil }
        self.isDouble = isDouble
        self.index = index
        rest = String(parts[1])
    }
}

extension AdapterTargets {
    /// The modules of a FLUX.2 transformer that a file names, with the shapes that the file has for
    /// them: enough to rename or join a LoRA whose model is not at hand.
    ///
    /// - Throws: `LoRAError` for the LoRA of another model.
    public init(namedIn file: LoRAFile) throws {
        let names = AdapterTargets(file.blockShapes)
        var shapes: TensorShapes = [:]
        for module in file.modules {
            guard let size = module.size else { continue }
            for place in names[module.name] {
                shapes[place.key] = [place.ownRows(size.rows), size.columns]
            }
        }
        self.init(shapes)
    }
}

extension AdapterTarget {
    /// How many of a module's rows are the parameter's.
    fileprivate func ownRows(_ rows: Int) -> Int {
        if case .part(_, let parts) = self.rows { rows / parts } else { rows }
    }
}

extension LoRAFile {
    /// All parameters of a transformer that has the blocks that the file names, of the least width.
    fileprivate var blockShapes: TensorShapes {
        let places = modules.compactMap { BlockModule($0.name) }.filter { $0.index < 512 }
        func count(_ isDouble: Bool) -> Int {
            (places.filter { $0.isDouble == isDouble }.map(\.index).max() ?? 0) + 1
        }
        let scope = Scope()
        _ = FluxTransformer(
            scope, .smallest(doubleBlocks: count(true), singleBlocks: count(false)))
        return scope.parameters.shapes
    }
}

extension LoRAFile.Module {
    /// The shape of the matrix that is changed, from those of its tensors; nil where they do not
    /// tell.
    fileprivate var size: (rows: Int, columns: Int)? {
        func side(_ part: LoRAKey.Part, _ axis: Int) -> Int? {
            guard let shape = tensors[part]?.shape, shape.count >= 2 else { return nil }
            return shape[axis]
        }
        func product(_ first: Int?, _ second: Int?) -> Int? {
            guard let first, let second else { return nil }
            let (value, isOver) = first.multipliedReportingOverflow(by: second)
            return isOver ? nil : value
        }
        let rows =
            side(.up, 0) ?? side(.diff, 0) ?? side(.hadaW1A, 0)
            ?? product(
                side(.lokrW1, 0) ?? side(.lokrW1A, 0), side(.lokrW2, 0) ?? side(.lokrW2A, 0))
        let columns =
            side(.down, 1) ?? side(.diff, 1) ?? side(.hadaW1B, 1)
            ?? product(
                side(.lokrW1, 1) ?? side(.lokrW1B, 1), side(.lokrW2, 1) ?? side(.lokrW2B, 1))
        guard let rows, let columns else { return nil }
        return (rows, columns)
    }
}
