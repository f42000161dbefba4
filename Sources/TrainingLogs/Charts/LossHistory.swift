/// The values of a training that are drawn, step by step.
struct LossHistory: Sendable {
    private(set) var points: [String: [ChartPoint]] = [:]
    /// Steps whose loss was NaN.
    private(set) var brokenSteps: [Int] = []
    private(set) var last: LogEntry?

    private static let names = [
        LogName.loss, LogName.validationLoss, LogName.learningRate, LogName.gradientNorm,
    ]

    mutating func add(_ entry: LogEntry) {
        if let loss = entry[LogName.loss], !loss.isFinite { brokenSteps.append(entry.step) }
        for name in Self.names {
            guard let value = entry[name], value.isFinite else { continue }
            points[name, default: []].append(ChartPoint(step: Double(entry.step), value: value))
        }
        if last.map({ $0.step <= entry.step }) ?? true { last = entry }
    }

    /// Losses, those on held-out data, and both smoothed where there are enough.
    var loss: LineChart {
        let (raw, held) = (points[LogName.loss] ?? [], points[LogName.validationLoss] ?? [])
        return LineChart(
            title: "Loss",
            curves: noisy("loss", raw, .blue)
                + [.init(name: "held out", form: .dotted, color: .orange, points: held)])
    }

    func rate(width: Int) -> LineChart {
        LineChart(
            title: "Learning rate",
            curves: [
                .init(
                    name: "now", form: .bold, color: .violet,
                    points: points[LogName.learningRate] ?? [])
            ], width: width, height: 180, mayBeLogarithmic: false)
    }

    func gradient(width: Int) -> LineChart {
        LineChart(
            title: "Gradient norm",
            curves: noisy("norm", points[LogName.gradientNorm] ?? [], .green), width: width,
            height: 180)
    }

    private func noisy(
        _ name: String, _ points: [ChartPoint], _ color: ChartStyle.Color
    ) -> [LineChart.Curve] {
        guard points.count >= 10 else {
            return [.init(name: name, form: .dotted, color: color, points: points)]
        }
        return [
            .init(name: "each step", form: .scattered, color: color, points: points),
            .init(name: "\(name), smoothed", form: .bold, color: color, points: points.smoothed),
        ]
    }
}
