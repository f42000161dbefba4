public import FluxModels
internal import LoRA

/// Which linear layers get a LoRA, in the way PEFT and DiffSynth-Studio read it.
public enum LoRATargets: Hashable, Sendable {
    /// All linear layers in lists of layers whose sides are both at least 512: every matrix inside a
    /// block of the published models.
    case automatic
    /// Layers of these names, or whose names end so behind a dot.
    case names([String])
    /// Layers whose whole names match a regular expression.
    case expression(String)

    /// Reads a comma-separated list; an empty one is automatic, and one entry an expression.
    public init(_ argument: String) {
        let entries = NameList.read(argument)
        switch entries.count {
        case 0: self = .automatic
        case 1: self = .expression(entries[0])
        default: self = .names(entries)
        }
    }

    /// The smallest side of a matrix that is taken automatically.
    private static let smallest = 512

    /// Picks linear layers of a model, by canonical parameter name.
    ///
    /// - Parameter shapes: all parameters.
    /// - Throws: `LoRATargetError` when nothing is picked, or something that is no linear layer.
    public func keys(among shapes: TensorShapes) throws -> [String] {
        let layers = Self.linear(shapes)
        let picked: [String]
        switch self {
        case .automatic: picked = Self.automatic(layers, shapes)
        case .names(let names):
            for name in names { try requireLinear(name, layers) }
            picked = layers.filter { layer in names.contains { Self.ends(layer, with: $0) } }
        case .expression(let pattern):
            picked = try layers.filter(Self.matcher(pattern))
        }
        guard !picked.isEmpty else {
            throw LoRATargetError(
                targets: "\(self)", problem: .nothing(instead: advice(layers, shapes)))
        }
        return picked.map { $0 + ".weight" }
    }

    /// The names of a list that no linear layer has.
    public func unmatched(among shapes: TensorShapes) -> [String] {
        guard case .names(let names) = self else { return [] }
        let layers = Self.linear(shapes)
        return names.filter { name in !layers.contains { Self.ends($0, with: name) } }
    }

    /// All linear layers; a table of embeddings is none.
    private static func linear(_ shapes: TensorShapes) -> [String] {
        shapes.filter {
            $0.key.hasSuffix(".weight") && $0.value.count == 2 && $0.key != "embed_tokens.weight"
        }.keys.map { String($0.dropLast(".weight".count)) }.sorted()
    }

    private static func automatic(_ layers: [String], _ shapes: TensorShapes) -> [String] {
        layers.filter { layer in
            (shapes[layer + ".weight"] ?? []).allSatisfy { $0 >= smallest }
                && layer.split(separator: ".").contains { Int($0) != nil }
        }
    }

    /// What finds layers of blocks in this model.
    private func advice(_ layers: [String], _ shapes: TensorShapes) -> String {
        let ends = layers.compactMap { layer -> String? in
            let words = layer.split(separator: ".")
            guard words.dropLast().contains(where: { Int($0) != nil }), let last = words.last else {
                return nil
            }
            return words.suffix(Int(last) == nil ? 1 : 2).joined(separator: ".")
        }
        let names = Set(ends).filter { (try? requireLinear($0, layers)) != nil }.sorted()
        let all =
            Self.automatic(layers, shapes).isEmpty ? "" : "\"\" for all matrices of blocks, or "
        return all + "names such as " + names.joined(separator: ",")
    }

    private static func ends(_ layer: String, with name: String) -> Bool {
        layer == name || layer.hasSuffix("." + name)
    }

    /// A name of something that holds layers is refused, as PEFT does: it is most often `to_out`,
    /// which is a layer in some blocks and a list in others.
    private func requireLinear(_ name: String, _ layers: [String]) throws {
        let containers = layers.filter { layer in
            let words = layer.split(separator: ".")
            return words.indices.dropLast().contains {
                Self.ends(words[...$0].joined(separator: "."), with: name)
            }
        }
        guard let first = containers.first else { return }
        throw LoRATargetError(targets: name, problem: .noLayer(holds: first))
    }

    private static func matcher(_ pattern: String) throws -> (String) throws -> Bool {
        func refused<T>(_ body: () throws -> T) throws -> T {
            do {
                return try body()
            } catch let error as NamePatternError {
                throw LoRATargetError(targets: pattern, problem: .noExpression(error.description))
            }
        }
        let expression = try refused { try NamePattern(pattern) }
        return { layer in try refused { try expression.matches(layer) } }
    }
}

extension LoRATargets: CustomStringConvertible {
    public var description: String {
        switch self {
        case .automatic: ""
        case .names(let names): names.joined(separator: ",")
        case .expression(let pattern): pattern
        }
    }
}

/// Targets of a LoRA that do not fit a model.
public struct LoRATargetError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the targets.
    public enum Problem: Hashable, Sendable {
        /// No linear layer has such a name; what to write instead.
        case nothing(instead: String)
        /// The name is that of a group of layers.
        case noLayer(holds: String)
        /// The only entry is no regular expression, or one that is not read.
        case noExpression(String)
    }

    /// The argument, or the entry.
    public var targets: String
    /// What is wrong with it.
    public var problem: Problem

    public var description: String {
        switch problem {
        case .nothing(let instead) where targets.contains(","):
            "--lora_target_modules: no linear layer is called '\(targets.prefix(80))'; write \(instead)"
        case .nothing(let instead) where targets.isEmpty:
            "--lora_target_modules is empty, and no linear layer in a block has both sides of at "
                + "least 512; write \(instead)"
        case .nothing:
            "--lora_target_modules: no linear layer matches '\(targets)'; a single entry is a regular "
                + "expression for whole names, such as '.*\\.\(targets)'"
        case .noLayer(let layer):
            "--lora_target_modules: '\(targets)' is no linear layer, it holds '\(layer)'"
        case .noExpression(let why): "--lora_target_modules: '\(targets.prefix(80))' \(why)"
        }
    }
}
