internal import Foundation

/// The axes of a chart, and what is drawn between them.
struct ChartFrame {
    private let left = 58.0
    private let top = 40.0
    private let right: Double
    private let bottom: Double
    private let across: ChartAxis
    private let up: ChartAxis

    /// Axes that show the curves; nil without a point.
    ///
    /// Single values far from the others do not count, or they would flatten all that matters;
    /// those of smoothed curves always do.
    init?(_ curves: [LineChart.Curve], of chart: LineChart) {
        let steps = curves.flatMap { $0.points.map(\.step) }
        let ranges = curves.compactMap { curve in
            curve.form == .scattered
                ? curve.points.usualRange
                : curve.points.map(\.value).min().flatMap { low in
                    curve.points.map(\.value).max().map { low...$0 }
                }
        }
        guard let first = steps.min(), let last = steps.max(),
            let low = ranges.map(\.lowerBound).min(), let high = ranges.map(\.upperBound).max()
        else { return nil }
        right = Double(chart.width) - 16
        bottom = Double(chart.height) - 30
        across = ChartAxis(steps: first...last, ticks: chart.width / 90)
        up = ChartAxis(
            values: low...high, ticks: chart.height / 45,
            mayBeLogarithmic: chart.mayBeLogarithmic)
    }

    /// Lines at the ticks, with their values, and one below all.
    var grid: [String] {
        let ink = "class=\"tick\" fill=\"\(ChartStyle.faintInk)\""
        let rows = up.ticks.flatMap { tick -> [String] in
            let y = y(tick)
            return [
                rule(y, "grid", ChartStyle.grid),
                String(format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" ", left - 8, y + 4)
                    + "\(ink)>\(up.label(tick))</text>",
            ]
        }
        let columns = across.ticks.map { tick in
            String(format: "<text x=\"%.1f\" y=\"%.1f\" ", x(tick), bottom + 20)
                + "text-anchor=\"\(anchor(x(tick)))\" \(ink)>\(across.label(tick))</text>"
        }
        return rows + columns + [rule(bottom, "base", ChartStyle.base)]
    }

    private func rule(_ y: Double, _ name: String, _ color: String) -> String {
        "<path class=\"\(name)\" stroke=\"\(color)\" "
            + String(format: "d=\"M%.1f %.1fH%.1f\"/>", left, y, right)
    }

    func drawing(_ curve: LineChart.Curve) -> [String] {
        let isScattered = curve.form == .scattered
        let points =
            isScattered
            ? curve.points.sampled(to: LineChart.mostPoints)
            : curve.points.thinned(to: LineChart.mostPoints)
        let places = points.map { (x($0.step), y($0.value)) }
        if isScattered { return [Self.dots(places, curve)] }
        // A line through few values does not show where they are, and of one there is none.
        let isDotted = points.count == 1 || curve.form == .dotted && points.count <= 120
        return [Self.line(places, curve)] + (isDotted ? [Self.dots(places, curve)] : [])
    }

    /// Tells of points that are drawn at the rim because they lie off the scale.
    func note(_ curves: [LineChart.Curve]) -> String {
        let beyond = curves.reduce(0) { count, curve in
            count + curve.points.count { !(0...1).contains(up.position($0.value)) }
        }
        var words = up.isLogarithmic ? ["logarithmic"] : []
        if beyond > 0 { words.append("\(beyond) off the scale") }
        return String(format: "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" ", right, top - 4)
            + "font-size=\"10\" class=\"tick\" fill=\"\(ChartStyle.faintInk)\">"
            + "\(words.joined(separator: ", "))</text>"
    }

    static func line(_ places: [(Double, Double)], _ curve: LineChart.Curve) -> String {
        let points = places.map { String(format: "%.1f,%.1f", $0.0, $0.1) }
        return "<polyline fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\" "
            + "stroke-width=\"2.5\" \(curve.color.stroke) "
            + "points=\"\(points.joined(separator: " "))\"/>"
    }

    /// Dots, as lines without a length, which take less room than circles.
    static func dots(_ places: [(Double, Double)], _ curve: LineChart.Curve) -> String {
        let dots = places.map { String(format: "M%.1f %.1fh0", $0.0, $0.1) }
        let isScattered = curve.form == .scattered
        let look = isScattered ? "stroke-width=\"3.2\" opacity=\"0.38\"" : "stroke-width=\"7\""
        return "<path fill=\"none\" stroke-linecap=\"round\" \(look) \(curve.color.stroke) "
            + "d=\"\(dots.joined())\"/>"
    }

    /// Words at the ends of the axis stay in the image.
    private func anchor(_ x: Double) -> String {
        x > right - 12 ? "end" : "middle"
    }

    private func x(_ step: Double) -> Double { left + across.position(step) * (right - left) }

    private func y(_ value: Double) -> Double {
        bottom - min(max(up.position(value), 0), 1) * (bottom - top)
    }
}
