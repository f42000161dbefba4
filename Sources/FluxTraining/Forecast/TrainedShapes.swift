internal import Flux2
internal import FluxModels
internal import Torch

/// What settings would train, by shapes; nothing is loaded.
struct TrainedShapes {
    /// Shapes of all tensors that get gradients.
    private(set) var tensors: [[Int]] = []
    /// Values of a component's own weights that are trained, by component.
    private(set) var whole: [Component: Int] = [:]
    /// Matrices that get a low-rank change.
    private(set) var adapted = 0

    /// - Throws: `RequestError`, `LoRATargetError`, as the run would.
    init(_ method: MethodSettings, _ parts: TrainingParts) throws {
        var taken = Set<String>()
        for place in method.trained {
            let all = try Self.parameters(place, parts, "--trainable_models")
            guard !all.isEmpty else {
                throw RequestError(
                    setting: "--trainable_models", expected: "a part of the model",
                    found: place.module)
            }
            for parameter in all
            where taken.insert("\(place.component) \(parameter.key)").inserted {
                tensors.append(parameter.shape)
                whole[place.component, default: 0] += parameter.shape.reduce(1, *)
            }
        }
        guard let base = method.loraBase else { return }
        let all = try Self.parameters(base, parts, "--lora_base_model")
        let shapes = Dictionary(all.map { ($0.key, $0.shape) }) { first, _ in first }
        for key in try method.loraTargets.keys(among: shapes) {
            guard let shape = shapes[key] else { continue }
            tensors += [[method.loraRank, shape[1]], [shape[0], method.loraRank]]
            adapted += 1
        }
    }

    private static func parameters(
        _ place: TrainedPlace, _ parts: TrainingParts, _ option: String
    ) throws -> [Parameter] {
        guard let all = parts.parameters(of: place.component) else {
            throw RequestError(
                setting: option, expected: "a component that is among the models",
                found: place.component.rawValue)
        }
        return all.filter { place.holds($0.key) }
    }
}
