/// A value at a step.
struct ChartPoint: Hashable, Sendable {
    var step: Double
    var value: Double
}

extension [ChartPoint] {
    /// At most about `count` of the points, in order, with the lowest and highest of each stretch,
    /// so that peaks stay.
    func thinned(to count: Int) -> [ChartPoint] {
        guard self.count > count, count >= 2 else { return self }
        let stretches = count / 2
        return (0..<stretches).flatMap { index -> [ChartPoint] in
            let stretch = self[
                (index * self.count / stretches)..<((index + 1) * self.count / stretches)]
            guard let low = stretch.indices.min(by: { self[$0].value < self[$1].value }),
                let high = stretch.indices.max(by: { self[$0].value < self[$1].value })
            else { return [] }
            return low == high
                ? [self[low]] : [self[Swift.min(low, high)], self[Swift.max(low, high)]]
        }
    }

    /// At most about `count` of the points, in order: evenly taken ones, which show how values
    /// scatter, and the highest.
    func sampled(to count: Int) -> [ChartPoint] {
        guard self.count > count, count >= 2 else { return self }
        let even = count * 9 / 10
        let highest = indices.sorted { self[$0].value > self[$1].value }.prefix(count - even)
        return Set((0..<even).map { $0 * self.count / even } + highest).sorted().map { self[$0] }
    }

    /// The points smoothed over about a thirtieth of them; the first, which are means of too few,
    /// are left out.
    var smoothed: [ChartPoint] {
        let span = Swift.max(5, Double(count) / 30)
        var smoothing = LossSmoothing(.exponential(factor: 1 - 1 / span))
        let smooth = compactMap { point in
            smoothing.add(point.value).map { ChartPoint(step: point.step, value: $0) }
        }
        return Array(smooth.dropFirst(Int(span / 2)))
    }

    /// The values between which all but a hundredth at either end lie.
    var usualRange: ClosedRange<Double>? {
        guard !isEmpty else { return nil }
        let sorted = map(\.value).sorted()
        let rare = sorted.count / 100
        return sorted[rare]...sorted[sorted.count - 1 - rare]
    }
}
