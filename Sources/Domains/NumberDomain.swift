/// Which numbers a setting, or a field of a file, may have, and what some of them mean.
public struct NumberDomain: Hashable, Sendable {
    /// The values without a meaning of their own.
    public enum Values: Hashable, Sendable {
        /// Whole numbers.
        case integers(ClosedRange<Int>)
        /// Whole numbers from 0 to 2^64 - 1.
        case unsigned
        /// Finite numbers; an end that is not `closed` is itself left out.
        case reals(from: Double, to: Double, closedFrom: Bool, closedTo: Bool)
    }

    /// A value that is no amount, and what it says instead.
    public struct Special: Hashable, Sendable {
        /// The value, which need not be one of the others.
        public var value: Int
        /// What it says, such as `no clipping`.
        public var meaning: String
    }

    /// The values without a meaning of their own.
    public var values: Values
    /// What they count: `pixels`, `tokens`; empty where that is nothing of its own.
    public var unit: String
    /// Values with a meaning of their own.
    public var specials: [Special] = []
    /// Words that may stand in a number's place, such as `auto`.
    public var words: [String] = []

    /// Whole numbers from one to another.
    public static func integers(_ range: ClosedRange<Int>, _ unit: String = "") -> NumberDomain {
        NumberDomain(values: .integers(range), unit: unit)
    }

    /// What 64 bits hold without a sign.
    public static let unsigned = NumberDomain(values: .unsigned, unit: "")

    /// Numbers from one to another, with both ends.
    public static func reals(_ range: ClosedRange<Double>, _ unit: String = "") -> NumberDomain {
        NumberDomain(
            values: .reals(
                from: range.lowerBound, to: range.upperBound, closedFrom: true, closedTo: true),
            unit: unit)
    }

    /// Numbers from one to below another.
    public static func reals(_ range: Range<Double>, _ unit: String = "") -> NumberDomain {
        NumberDomain(
            values: .reals(
                from: range.lowerBound, to: range.upperBound, closedFrom: true, closedTo: false),
            unit: unit)
    }

    /// Numbers above one, to another.
    public static func reals(
        above lowest: Double, to highest: Double, _ unit: String = ""
    ) -> NumberDomain {
        NumberDomain(
            values: .reals(from: lowest, to: highest, closedFrom: false, closedTo: true),
            unit: unit)
    }

    /// The same with a value that has a meaning of its own.
    public func with(_ value: Int, meaning: String) -> NumberDomain {
        var domain = self
        domain.specials.append(Special(value: value, meaning: meaning))
        return domain
    }

    /// The same with a word that may stand in a number's place.
    public func with(word: String) -> NumberDomain {
        var domain = self
        domain.words.append(word)
        return domain
    }
}

// MARK: Membership

extension NumberDomain {
    /// Whether a whole number is one of the values.
    public func contains(_ value: Int) -> Bool {
        if specials.contains(where: { $0.value == value }) { return true }
        return switch values {
        case .integers(let range): range.contains(value)
        case .unsigned: value >= 0
        case .reals: contains(Double(value))
        }
    }

    /// Whether a number is one of the values.
    public func contains(_ value: Double) -> Bool {
        guard value.isFinite else { return false }
        if specials.contains(where: { Double($0.value) == value }) { return true }
        switch values {
        case .integers, .unsigned: return Int(exactly: value).map(contains) ?? false
        case .reals(let from, let to, let closedFrom, let closedTo):
            return (closedFrom ? from <= value : from < value)
                && (closedTo ? value <= to : value < to)
        }
    }

    /// Whether a text says one of the values, or one of the words.
    public func contains(_ text: String) -> Bool {
        if words.contains(text) { return true }
        switch values {
        case .integers: return Int(text).map(contains) ?? false
        case .unsigned: return UInt64(text) != nil || Int(text).map(contains) ?? false
        case .reals: return Double(text).map(contains) ?? false
        }
    }
}

// MARK: Words

extension NumberDomain: CustomStringConvertible {
    /// What a value must be: `an integer from 1 to 16384 pixels`.
    public var description: String {
        let choices = words + [numbers]
        return
            ([choices.joined(separator: " or ")] + specials.map { "\($0.value) for \($0.meaning)" })
            .joined(separator: ", or ")
    }

    private var numbers: String {
        let unit = unit.isEmpty ? "" : " " + unit
        switch values {
        case .integers(let range) where range.upperBound == .max:
            return "an integer from \(range.lowerBound) on" + unit
        case .integers(let range):
            return "an integer from \(range.lowerBound) to \(range.upperBound)" + unit
        case .unsigned: return "an integer from 0 to \(UInt64.max)" + unit
        case .reals(let from, let to, let closedFrom, let closedTo):
            return "a number \(closedFrom ? "from" : "above") \(Self.text(from)) "
                + "\(closedTo ? "to" : "to below") \(Self.text(to))" + unit
        }
    }

    /// A number as people write it: `0`, `0.5`, `1e6`.
    static func text(_ value: Double) -> String {
        let text = "\(value)"
        if text.hasSuffix(".0") { return String(text.dropLast(2)) }
        return text.replacing("e+", with: "e")
    }
}
