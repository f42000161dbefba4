/// A training run that cannot go on.
public struct TrainingError: Error, Hashable, CustomStringConvertible {
    /// What has happened.
    public enum Reason: Hashable, Sendable {
        /// The loss is NaN; the first part of the model that gave none.
        case lossNotFinite(module: String?)
        /// A trained weight is NaN.
        case weightNotFinite(String)
        /// A state of another run.
        case foreignState(String)
        /// Settings that contradict each other, in one line.
        case unfit(String)
    }

    /// The micro-step, where it is about one.
    public var step: Int?
    /// What has happened.
    public var reason: Reason

    public var description: String {
        let place = step.map { "step \($0): " } ?? ""
        switch reason {
        case .lossNotFinite(let module):
            let cause = module.map { "; the first output that is none is that of '\($0)'" }
            return place + "the loss is not a finite number" + (cause ?? "")
        case .weightNotFinite(let name):
            return place + "'\(name)' holds values that are not finite: the training has diverged"
        case .foreignState(let why), .unfit(let why): return place + why
        }
    }
}
