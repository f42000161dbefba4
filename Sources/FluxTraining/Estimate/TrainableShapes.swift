internal import Flux2
internal import FluxModels
internal import Torch

/// What settings would train, by shapes; nothing is loaded.
struct TrainableShapes {
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
            for parameter in try parts.trained(at: place)
            where taken.insert("\(place.component) \(parameter.key)").inserted {
                tensors.append(parameter.shape)
                whole[place.component, default: 0] += parameter.shape.reduce(1, *)
            }
        }
        guard let base = method.loraBase else { return }
        let shapes = try parts.parameters(at: base, "--lora_base_model").shapes
        for key in try method.loraTargets.keys(among: shapes) {
            guard let shape = shapes[key] else { continue }
            tensors += [[method.loraRank, shape[1]], [shape[0], method.loraRank]]
            adapted += 1
        }
    }
}
