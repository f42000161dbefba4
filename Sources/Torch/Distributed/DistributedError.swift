/// Processes that should work together and do not.
public enum DistributedError: Error, Hashable, CustomStringConvertible {
    /// A variable of the launcher is missing, is no number, or contradicts another.
    case environment(variable: String, why: String)
    /// An operation of all processes failed; as a rule another process is gone or stuck.
    case operation(name: String, rank: Int, size: Int, timeout: Duration, why: String)
    /// A parameter of some processes has a gradient, and of others none.
    case unevenGradient(parameter: String, ranks: Int, size: Int)

    public var description: String {
        switch self {
        case .environment(let variable, let why):
            "\(variable): \(why); torchrun, accelerate and 'flux2 launch' set it"
        case .operation(let name, let rank, let size, let timeout, let why):
            "\(name) failed on rank \(rank) of \(size): another rank has ended or has not answered "
                + "within \(timeout.components.seconds) s (\(why))"
        case .unevenGradient(let parameter, let ranks, let size):
            "parameter '\(parameter)' has a gradient on \(ranks) of \(size) ranks; "
                + "all must compute with the same parameters"
        }
    }
}
