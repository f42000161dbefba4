public import FluxModels
internal import Torch

/// Where a module that a LoRA file names is in the model.
public struct AdapterTarget: Hashable, Sendable {
    /// The canonical name of a parameter, `….weight`.
    public var key: String
    /// Which rows of the module's change are the parameter's.
    public var rows: Rows

    /// A parameter, with the rows of a module that change it.
    public init(key: String, rows: Rows) {
        self.key = key
        self.rows = rows
    }

    /// Rows of a module's change.
    public enum Rows: Hashable, Sendable {
        /// The rows as they are.
        case all
        /// One of equal parts: a fused projection.
        case part(Int, of: Int)
        /// The two halves in the other order.
        case swapHalves
    }
}

/// The modules of a transformer, and of other components, under all the names that LoRA files have for
/// them.
public struct AdapterTargets: Sendable {
    /// Rows and columns of every matrix by canonical name.
    public let shapes: TensorShapes
    private let places: [String: [AdapterTarget]]

    /// - Parameter shapes: all parameters by canonical name; names of components differ.
    public init(_ shapes: TensorShapes) {
        // A table of embeddings is no layer that a change could work beside.
        self.shapes = shapes.filter {
            $0.key.hasSuffix(".weight") && $0.value.count == 2 && $0.key != "embed_tokens.weight"
        }
        var places: [String: [AdapterTarget]] = [:]
        for key in self.shapes.keys.sorted() {
            let canonical = String(key.dropLast(".weight".count))
            let (fused, rows) = Self.bfl(key)
            for (name, target) in [
                (canonical, AdapterTarget(key: key, rows: .all)),
                (fused, AdapterTarget(key: key, rows: rows)),
            ] {
                // kohya writes dots as underscores.
                for spelling in Set([name, name.replacing(".", with: "_")]) {
                    if places[spelling]?.contains(target) != true {
                        places[spelling, default: []].append(target)
                    }
                }
            }
        }
        self.places = places
    }

    /// The places of a module, in the order of its rows; none for an unknown one.
    public subscript(_ module: String) -> [AdapterTarget] {
        (places[module] ?? []).sorted { $0.order < $1.order }
    }

    /// Black Forest Labs' module that holds a canonical parameter, and which of its rows do.
    static func bfl(_ key: String) -> (module: String, rows: AdapterTarget.Rows) {
        let transform = KeyMap.bflTransformer.transform(key)
        let module = String(transform.source.dropLast(".weight".count))
        switch transform {
        // Only files of text encoders interleave.
        case .identity, .unpermuteRotary: return (module, .all)
        case .slice(_, let part, let parts): return (module, .part(part, of: parts))
        case .swapHalves: return (module, .swapHalves)
        }
    }
}

extension AdapterTarget {
    fileprivate var order: Int { if case .part(let part, _) = rows { part } else { 0 } }

    /// The rows out of so many.
    func ranges(of count: Int) -> [Range<Int>] {
        switch rows {
        case .all: [0..<count]
        case .part(let part, let parts): [part * count / parts..<(part + 1) * count / parts]
        case .swapHalves: [count / 2..<count, 0..<count / 2]
        }
    }

    /// How many rows the module has whose part these rows of the parameter are.
    func moduleRows(_ own: Int) -> Int {
        if case .part(_, let parts) = rows { own * parts } else { own }
    }
}
