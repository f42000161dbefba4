import FluxTraining
import Torch

/// Momentum, with a state that is as large as the parameters; works on single values as AdamW does.
final class Momentum: Optimizer {
    let parameters: [TrainableParameter]
    private var velocities: [String: Tensor] = [:]
    private var steps = 0

    init(_ parameters: [TrainableParameter]) { self.parameters = parameters }

    func step(rate: Double) throws {
        steps += 1
        try withoutGradients {
            for parameter in parameters {
                guard let gradient = try parameter.tensor.gradient() else { continue }
                let before = velocities[parameter.name]
                let velocity = try before.map { try $0 * 0.9 + gradient } ?? gradient.copy()
                velocities[parameter.name] = velocity
                try parameter.tensor.assign(parameter.tensor - velocity * rate)
            }
        }
    }

    func state() throws -> [String: Tensor] {
        var state = ["step": try Tensor.from([Int64(steps)])]
        for (name, velocity) in velocities { state[name + ".velocity"] = velocity }
        return state
    }

    func restore(_ state: [String: Tensor]) throws {
        steps = try state["step"].map { Int(try $0.item()) } ?? 0
        velocities = [:]
        for (key, value) in state where key != "step" {
            let name = String(key.dropLast(".velocity".count))
            precondition(parameters.contains { $0.name == name }, "\(key) belongs to another rank")
            velocities[name] = try value.copy()
        }
    }

    var stateByteCount: Int { velocities.values.reduce(0) { $0 + $1.byteCount } }
}
