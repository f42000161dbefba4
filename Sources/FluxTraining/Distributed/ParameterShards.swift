import Torch

/// Which process looks after which parameters: whole tensors, so that optimizers that look at a
/// matrix as one, as Adafactor does, work as they do on one process.
struct ParameterShards {
    /// The owner of each parameter, in their order.
    let owners: [Int]
    private let names: [String]

    /// Gives the largest parameter that is left to the process that has least; the same everywhere.
    init(_ parameters: [TrainableParameter], among size: Int) {
        var loads = Array(repeating: 0, count: size)
        var owners = Array(repeating: 0, count: parameters.count)
        let counts = parameters.map(\.tensor.byteCount)
        let order = parameters.indices.sorted {
            counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1
        }
        for index in order {
            let least = loads.indices.min { loads[$0] < loads[$1] } ?? 0
            owners[index] = least
            loads[least] += counts[index]
        }
        self.owners = owners
        names = parameters.map(\.name)
    }

    /// What of a list in the parameters' order belongs to one process.
    func part<Element>(_ all: [Element], of rank: Int) -> [Element] {
        zip(all, owners).filter { $0.1 == rank }.map(\.0)
    }

    /// What of an optimizer's state is about one process's parameters, or about none in particular.
    ///
    /// Keys hold a parameter's name with something before or behind it, between dots or slashes. Of
    /// two names that fit, as `b.weight` and `a.b.weight` do, the longer one is meant.
    func part<Value>(_ state: [String: Value], of rank: Int) -> [String: Value] {
        let owners = Dictionary(zip(names, owners)) { first, _ in first }
        return state.filter { key, _ in
            guard let name = Self.candidates(key).first(where: { owners[$0] != nil }) else {
                return true
            }
            return owners[name] == rank
        }
    }

    /// All runs of a key's components, the longest first.
    private static func candidates(_ key: String) -> [String] {
        let edges =
            [key.startIndex]
            + key.indices.filter { ".:/".contains(key[$0]) }.map { key.index(after: $0) }
        let ends = edges.dropFirst().map { key.index(before: $0) } + [key.endIndex]
        return edges.flatMap { start in
            ends.filter { $0 > start }.map { String(key[start..<$0]) }
        }.sorted { $0.count > $1.count }
    }
}
