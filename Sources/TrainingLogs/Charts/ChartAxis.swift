internal import Foundation

/// Where values lie on a side of a chart, and which are written beside it.
struct ChartAxis {
    let range: ClosedRange<Double>
    let isLogarithmic: Bool
    /// Values that are written.
    let ticks: [Double]

    /// An axis of values; logarithmic, if that is allowed, where they are of several magnitudes.
    init(values: ClosedRange<Double>, ticks count: Int, mayBeLogarithmic: Bool) {
        isLogarithmic =
            mayBeLogarithmic && values.lowerBound > 0
            && values.upperBound > 20 * values.lowerBound
        if isLogarithmic {
            range = (values.lowerBound / 1.15)...(values.upperBound * 1.15)
            ticks = Self.magnitudes(in: range, count: count)
        } else {
            range = Self.padded(values)
            ticks = Self.multiples(in: range, count: count, smallest: 0)
        }
    }

    /// An axis of steps, which they fill.
    init(steps: ClosedRange<Double>, ticks count: Int) {
        isLogarithmic = false
        let (first, last) = (steps.lowerBound, steps.upperBound)
        range = first < last ? steps : (first - 1)...(last + 1)
        ticks = Self.multiples(in: range, count: count, smallest: 1)
    }

    /// From 0 at the lower end to 1 at the upper one, and beyond.
    func position(_ value: Double) -> Double {
        let (low, high) = (range.lowerBound, range.upperBound)
        if isLogarithmic {
            return (log(max(value, .leastNormalMagnitude)) - log(low)) / (log(high) - log(low))
        }
        // Halves, as a difference of the largest numbers is infinite.
        return (value / 2 - low / 2) / (high / 2 - low / 2)
    }

    /// A tick in as many digits as tell it from its neighbors.
    func label(_ tick: Double) -> String {
        let largest = ticks.map { abs($0) }.max() ?? 0
        if tick == 0 { return "0" }
        if largest >= 10_000, ticks.allSatisfy({ $0.remainder(dividingBy: 100) == 0 }) {
            return ChartNumber.text(tick / 1000) + "k"
        }
        guard !isLogarithmic, largest >= 1e-3, largest < 10_000, ticks.count > 1 else {
            return ChartNumber.text(tick)
        }
        let digits = -floor(log10(ticks[1] - ticks[0]) + 1e-9)
        return String(format: "%.\(max(0, Int(digits)))f", tick)
    }

    /// Leaves room around values.
    private static func padded(_ values: ClosedRange<Double>) -> ClosedRange<Double> {
        let (low, high) = (values.lowerBound, values.upperBound)
        let half = high / 2 - low / 2
        let flatRoom = abs(low) < 1e-100 ? 1 : abs(low) / 2
        let room = half < .leastNormalMagnitude ? flatRoom : half * 0.12
        // Losses and rates do not go below zero, and neither does their axis.
        return (low >= 0 ? max(low - room, 0) : low - room)...(high + room)
    }

    /// Multiples of 1, 2 or 5 times a power of ten, and of at least `smallest`.
    private static func multiples(
        in range: ClosedRange<Double>, count: Int, smallest: Double
    ) -> [Double] {
        let raw = (range.upperBound - range.lowerBound) / Double(max(count, 1))
        let power = pow(10, floor(log10(raw)))
        let step = max(([1, 2, 5].first { $0 * power >= raw * 0.999 } ?? 10) * power, smallest)
        let first = (range.lowerBound / step).rounded(.up)
        let last = (range.upperBound / step).rounded(.down)
        guard step.isFinite, last >= first, last - first < 100 else { return [] }
        return (0...Int(last - first)).map { (first + Double($0)) * step }
    }

    private static func magnitudes(in range: ClosedRange<Double>, count: Int) -> [Double] {
        let powers = Int(floor(log10(range.lowerBound)))...Int(floor(log10(range.upperBound)))
        let leading: [Double] = powers.count > count / 2 ? [1] : [1, 2, 5]
        let stride = max(1, powers.count / max(count, 1))
        return powers.filter { $0 % stride == 0 }.flatMap { power in
            leading.map { $0 * pow(10, Double(power)) }
        }.filter(range.contains)
    }
}

/// Numbers as people read them.
enum ChartNumber {
    /// Three digits: `0.187`, `1200`, `3.3e-5`.
    static func text(_ value: Double) -> String {
        guard value.isFinite else { return value.pythonText }
        guard value != 0, abs(value) < 1e-3 || abs(value) >= 1e6 else {
            return abs(value) >= 1000
                ? String(format: "%.0f", value) : String(format: "%.3g", value)
        }
        let parts = String(format: "%.3g", value).split(separator: "e")
        guard parts.count == 2, let power = Int(parts[1]) else {
            return String(format: "%g", value)
        }
        return "\(parts[0])e\(power)"
    }
}
