import ArgumentParser

/// A seed, or that one is to be drawn: -1, as in other programs.
enum Seed: Hashable, ExpressibleByArgument {
    case drawn
    case fixed(UInt64)

    init?(argument: String) {
        if argument == "-1" {
            self = .drawn
        } else if let value = UInt64(argument) {
            self = .fixed(value)
        } else {
            return nil
        }
    }

    /// The number; nil for one that is to be drawn.
    var value: UInt64? {
        switch self {
        case .drawn: nil
        case .fixed(let value): value
        }
    }

    var defaultValueDescription: String { value.map { "\($0)" } ?? "-1" }
}
