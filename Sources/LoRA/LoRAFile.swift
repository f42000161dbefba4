internal import FluxModels
internal import Foundation
internal import Checkpoints
internal import Offloading
internal import Torch

/// A file of weight changes, taken apart into modules.
public struct LoRAFile: Sendable {
    /// The path it was opened by.
    public let path: String
    /// The file's modules by name, behind the prefix, in the order of their names.
    public let modules: [Module]
    /// Tensors whose names are none of a LoRA's, such as whole weights.
    public let foreignTensors: [String]
    /// What the file says about itself.
    public let metadata: [String: String]
    let file: SafetensorsFile

    /// All tensors of one module.
    public struct Module: Sendable {
        /// What stands before the name in the file, dots included; often nothing.
        public var prefix: String
        /// The name behind the prefix, in the file's own naming.
        public var name: String
        /// The component that names in the file say; nil where the module's own has to tell.
        var component: Component?
        /// Names as in the file.
        var tensors: [LoRAKey.Part: TensorInfo] = [:]
        /// What the file calls the adapter, such as `default`; nil where it does not.
        public var adapter: String?
        /// alpha over rank, where metadata tell it.
        var scaleOfMetadata: Double?

        /// Takes one more of the module's tensors.
        ///
        /// - Throws: `LoRAError` where it would take the place of another.
        fileprivate mutating func add(
            _ tensor: TensorInfo, as key: LoRAKey, in path: String
        ) throws {
            if let adapter, let other = key.adapter, adapter != other {
                throw LoRAError(
                    path: path, reason: .twoAdapters(prefix + name, first: adapter, second: other))
            }
            adapter = adapter ?? key.adapter
            if let other = tensors.updateValue(tensor, forKey: key.part) {
                throw LoRAError(
                    path: path,
                    reason: .twoForOnePlace(prefix + name, first: other.name, second: tensor.name))
            }
        }
    }

    /// - Throws: `FileError`, `SafetensorsError`; `LoRAError` for a file without any change.
    public init(path: String) throws {
        file = try SafetensorsFile(path: path)
        self.path = path
        metadata = file.metadata
        var modules: [String: Module] = [:]
        var foreign: [String] = []
        for tensor in file.tensors {
            guard let key = LoRAKey(tensor.name) else {
                foreign.append(tensor.name)
                continue
            }
            try modules[
                key.prefix + key.module,
                default: Module(prefix: key.prefix, name: key.module, component: key.component)
            ].add(tensor, as: key, in: path)
        }
        guard !modules.isEmpty else {
            throw LoRAError(path: path, reason: .nothing(tensors: file.tensors.count))
        }
        var scales = try LoRAScales(file)
        self.modules = try modules.values.sorted { $0.name < $1.name }.map { module in
            var module = module
            module.scaleOfMetadata = try scales.scale(
                of: module.name, rank: module.tensors[.down]?.shape.first)
            return module
        }
        foreignTensors = foreign
    }

    /// Tensors of text encoders, those that FLUX.2 does not have among them.
    public var textEncoderTensors: [String] {
        modules.filter { $0.component == .textEncoder }.flatMap { $0.tensors.values.map(\.name) }
    }
}

/// How files tell apart where they come from.
public enum LoRADialect: String, Sendable, CaseIterable {
    /// Bare canonical names with an adapter's name: DiffSynth-Studio.
    case diffsynth
    /// Canonical names behind `transformer.`: diffusers.
    case diffusers
    /// Canonical names behind `base_model.model.`: PEFT.
    case peft
    /// Black Forest Labs' names behind `diffusion_model.`: ComfyUI, ai-toolkit.
    case comfyui
    /// Black Forest Labs' names with underscores behind `lora_unet_`.
    case kohya
}

extension LoRAFile {
    /// The dialect most of the names are in.
    public var dialect: LoRADialect {
        let prefix = (modules.first { $0.component != .textEncoder } ?? modules[0]).prefix
        if prefix.hasPrefix("lora_") || prefix.hasPrefix("lycoris_") { return .kohya }
        if prefix.hasSuffix("diffusion_model.") { return .comfyui }
        if prefix.hasPrefix("base_model.") { return .peft }
        return prefix == "transformer." ? .diffusers : .diffsynth
    }
}

/// A LoRA that cannot be used.
public struct LoRAError: Error, Hashable, CustomStringConvertible {
    /// What keeps the LoRA from being used.
    public enum Reason: Hashable, Sendable {
        /// No tensor is one of a LoRA.
        case nothing(tensors: Int)
        /// No module is one of the model's.
        case noMatch(modules: Int, first: String)
        /// Some modules are not the model's, and nothing may be lost.
        case unmatched(count: Int, first: String)
        /// So many of its modules of transformer blocks are not the model's.
        case partial(count: Int, of: Int, first: String)
        /// It was made for FLUX.1, which has this module.
        case ofFlux1(String)
        /// One module has two named adapters.
        case twoAdapters(String, first: String, second: String)
        /// One weight would be changed by two tensors, modules or forms.
        case twoForOnePlace(String, first: String, second: String)
        /// A module lacks a tensor that its form needs.
        case incomplete(String, missing: String)
        /// Something that is not done, as the beginning of a sentence: biases, types, forms.
        case unsupported(String)
        /// A module changes a weight of another shape than the model's.
        case unexpectedShape(String, expected: [Int], found: [Int])
        /// Two matrices of a module that have no rank in common.
        case rankMismatch(String, down: [Int], up: [Int])
        /// Files that are to be joined change a weight in two shapes.
        case unequal(String)
        /// PEFT is to be given a folder, not a file of this name.
        case needsFolder
        /// A module has another rank than the one that it is to go on in.
        case otherRank(String, expected: Int, found: Int)
        /// The file holds weights besides, which nothing here would apply.
        case wholeWeights(count: Int, first: String)
        /// A tensor with infinite values or NaN.
        case notFinite(String)
        /// Settings in the header or beside the file that cannot be read.
        case badMetadata(String)
    }

    /// The LoRA file, or the settings beside it.
    public var path: String
    /// What is wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a file and what is wrong with it.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(path): \(text)" }

    private var text: String {
        switch reason {
        case .nothing(let count):
            "expected the weights of a LoRA, found none among \(count) tensors"
        case .noMatch(let count, let first):
            "none of its \(count) modules, such as '\(first)', is in this model; "
                + "is it the LoRA of another one?"
        case .unmatched(let count, let first):
            "\(count) of its modules, such as '\(first)', are not in this model, and would be lost"
        case .partial(let count, let all, let first):
            "\(count) of its \(all) modules of transformer blocks, such as '\(first)', are not in "
                + "this model; is it the LoRA of another one? --partial-lora applies the others"
        case .ofFlux1(let module):
            "is a LoRA of FLUX.1: FLUX.2 has no '\(module)'"
        case .twoAdapters(let module, let first, let second):
            "'\(module)' has two adapters, '\(first)' and '\(second)'; expected one: write each "
                + "into a file of its own"
        case .twoForOnePlace(let place, let first, let second):
            "'\(place)' is changed twice, by '\(first)' and by '\(second)'; expected one of them"
        case .incomplete(let module, let missing): "'\(module)' lacks its \(missing)"
        case .unsupported(let what): "\(what) is not supported"
        case .unexpectedShape(let name, let expected, let found):
            "'\(name)' changes a weight of \(found), the model's is \(expected); "
                + "is it the LoRA of another model?"
        case .rankMismatch(let name, let down, let up):
            "'\(name)' has matrices \(up) and \(down), which cannot be multiplied"
        case .unequal(let key):
            "changes '\(key)' in another shape than the others; are all of one model?"
        case .needsFolder:
            "PEFT loads a folder; expected the name of one, or one ending in "
                + "/\(LoRAWriter.nameOfPEFT)"
        case .otherRank(let name, let expected, let found):
            "'\(name)' is of rank \(found), not \(expected); --lora_rank \(found) goes on with it"
        case .wholeWeights(let count, let first):
            "holds \(count) whole weights, such as '\(first)', beside the LoRA, which would be lost; "
                + "'flux2 assemble MODEL --checkpoint' makes a model of both"
        case .notFinite(let name): "'\(name)' holds values that are not finite"
        case .badMetadata(let why): why
        }
    }
}
