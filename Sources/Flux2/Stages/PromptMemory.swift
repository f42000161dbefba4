internal import Torch

/// Text features of the prompts that were encoded last, so that a repeated one needs no encoder.
final class PromptMemory {
    /// What features depend on, besides the model.
    struct Key: Hashable {
        var prompt: String
        var parity: Parity
        var length: Int
    }

    private var features: [Key: Tensor] = [:]
    /// The keys in the order of their last use.
    private var order: [Key] = []
    private let limit: Int

    /// - Parameter limit: prompts that are remembered; one takes up 8 to 16 MB.
    init(limit: Int = 16) { self.limit = limit }

    /// The features of a prompt, encoded if they are not known.
    func features(of key: Key, encode: (Key) throws -> Tensor) throws -> Tensor {
        let found = try features[key] ?? encode(key)
        features[key] = found
        order.removeAll { $0 == key }
        order.append(key)
        if order.count > limit { features[order.removeFirst()] = nil }
        return found
    }

    func knows(_ key: Key) -> Bool { features[key] != nil }
}
