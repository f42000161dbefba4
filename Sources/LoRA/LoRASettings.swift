internal import Foundation

/// Ranks and alphas as PEFT writes them: the commonest, and patterns for the rest.
struct LoRASettings {
    private var rank: Int
    private var alpha: Double
    private var ranks: [String: Int] = [:]
    private var alphas: [String: Double] = [:]

    init(_ layers: [LoRALayer]) {
        func commonest<Value: Hashable>(_ values: [Value]) -> Value? {
            Dictionary(grouping: values) { $0 }.max { $0.value.count < $1.value.count }?.key
        }
        rank = commonest(layers.map(\.rank)) ?? 1
        alpha = commonest(layers.map(\.alpha)) ?? 1
        for layer in layers {
            if layer.rank != rank { ranks[layer.module] = layer.rank }
            if layer.alpha != alpha { alphas[layer.module] = layer.alpha }
        }
    }

    fileprivate struct Fields: Encodable {
        var r: Int
        var loraAlpha: Double
        var rankPattern: [String: Int]
        var alphaPattern: [String: Double]
        var peftType: String?
        var targetModules: [String]
    }

    /// Settings that encode to JSON.
    struct Document {
        fileprivate var fields: Fields
        fileprivate var prefix: String

        func json() throws -> [UInt8] {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys]
            let data = try encoder.encode(fields)
            guard !prefix.isEmpty,
                let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            else { return Array(data) }
            let prefixed = Dictionary(
                uniqueKeysWithValues: object.map { (prefix + $0.key, $0.value) })
            return Array(
                try JSONSerialization.data(withJSONObject: prefixed, options: [.sortedKeys]))
        }
    }

    /// - Parameter targets: without them diffusers does not know which layers to make.
    func diffusers(targets: [String]) -> Document {
        document(nil, targets, prefix: "transformer.")
    }

    func peft(targets: [String]) -> Document { document("LORA", targets, prefix: "") }

    private func document(_ kind: String?, _ targets: [String], prefix: String) -> Document {
        Document(
            fields: Fields(
                r: rank, loraAlpha: alpha, rankPattern: ranks, alphaPattern: alphas,
                peftType: kind, targetModules: targets), prefix: prefix)
    }
}
