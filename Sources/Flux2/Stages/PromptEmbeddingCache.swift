internal import Torch

/// Text features of the prompts that were encoded last, so that a repeated one needs no encoder.
final class PromptEmbeddingCache {
    /// What features depend on, besides the model.
    struct Key: Hashable {
        var ids: [Int]
        var mask: [Bool]
        /// The LoRAs that change the encoder.
        var loras: [LoRAUse] = []
    }

    private var features: [Key: Tensor] = [:]
    /// The keys in the order of their last use.
    private var order: [Key] = []
    private let limit: Int

    /// - Parameter limit: prompts that are remembered; one takes up 8 to 16 MB.
    init(limit: Int = 16) { self.limit = limit }

    /// The features of a prompt; nil where they are not known.
    func features(_ key: Key) -> Tensor? {
        guard let found = features[key] else { return nil }
        keep(found, as: key)
        return found
    }

    func keep(_ found: Tensor, as key: Key) {
        features[key] = found
        order.removeAll { $0 == key }
        order.append(key)
        if order.count > limit { features[order.removeFirst()] = nil }
    }
}
