internal import Checkpoints

/// How checkpoints name what lies beside an 8-bit weight, `X.weight`.
enum ScaleTensorName: String, CaseIterable {
    /// What values are multiplied with, as ComfyUI and Black Forest Labs name it.
    case scale = "weight_scale"
    /// The same in ComfyUI's older files.
    case olderScale = "scale_weight"
    /// What `int8` values of rotated rows are multiplied with. No other program knows the name, so that
    /// none takes them for the weight's own.
    case rotatedScale = "rotated_scale"
    /// What 8-bit inputs would be divided by; inputs are not rounded here.
    case inputScale = "input_scale"
    /// The same in ComfyUI's older files.
    case olderInputScale = "scale_input"
    /// The format as JSON.
    case note = "comfy_quant"

    /// The name of this tensor for a weight; nil for one that is not named as a layer's.
    func name(for weight: String) -> String? {
        weight.hasSuffix(".weight") ? String(weight.dropLast("weight".count)) + rawValue : nil
    }

    /// The weight that a tensor of this name lies beside; nil when it is no such tensor.
    static func weight(of name: String) -> String? {
        guard let kind = allCases.first(where: { name.hasSuffix("." + $0.rawValue) }) else {
            return nil
        }
        return String(name.dropLast(kind.rawValue.count)) + "weight"
    }

    /// Whether a tensor only says that a file has scales in the older form.
    static func isMark(_ name: String) -> Bool {
        name == "scaled_fp8" || name.hasSuffix(".scaled_fp8")
    }
}

extension Checkpoint {
    /// The scale of a weight, if it has one.
    func scale(of weight: String) -> WeightLoader.Place? {
        [ScaleTensorName.scale, .olderScale, .rotatedScale].lazy
            .compactMap { $0.name(for: weight).flatMap { self[$0] } }.first
    }

    /// Refuses what lies beside no weight: it could belong to one that is missing.
    ///
    /// - Throws: `WeightError`.
    func requireScalesHaveWeights() throws {
        for name in names.sorted() {
            guard let weight = ScaleTensorName.weight(of: name), self[weight] == nil else {
                continue
            }
            throw WeightError(
                file: self[name]?.file.path ?? location, key: name,
                reason: .badScale("lies beside no weight: '\(weight)' is not there"))
        }
    }
}
