internal import LoRA
internal import Torch

/// LoRAs that are added to weights for good, each with its strength.
struct LoRAFusion {
    let all: [(changes: LoRAChanges, strength: Double)]

    init(_ all: [(changes: LoRAChanges, strength: Double)] = []) { self.all = all }

    /// Whether any of them changes a weight.
    func changes(_ key: String) -> Bool {
        all.contains { $0.changes.adapters[key] != nil }
    }

    /// A weight with all changes, added in float32, one LoRA after the other, and rounded once.
    ///
    /// - Parameter dtype: the type of the result.
    func callAsFunction(_ weight: Tensor, _ key: String, dtype: DType) throws -> Tensor {
        let adapters = all.compactMap { changes, strength in
            changes.adapters[key].map { ($0, strength) }
        }
        guard !adapters.isEmpty else { return try weight.to(dtype: dtype) }
        return try adapters.reduce(weight.to(dtype: .float32)) { weight, part in
            let adapter = try part.0.to(dtype: .float32, device: .cpu)
            adapter.strength = part.1
            return try adapter.merged(into: weight)
        }.to(dtype: dtype)
    }
}
