internal import FileSupport
internal import Foundation

/// Values over steps, as an SVG drawing.
///
/// Colors are those of a light page, as attributes; ``ChartStyle`` changes them for a dark one.
struct LineChart: Sendable {
    /// A line of the chart.
    struct Curve: Sendable {
        enum Form: Sendable {
            /// Faint dots: values that scatter.
            case scattered
            /// A line.
            case bold
            /// A line with a dot at each value.
            case dotted
        }

        var name: String
        var form: Form
        /// Of ``ChartStyle``.
        var color: ChartStyle.Color
        var points: [ChartPoint]
    }

    var title: String
    var curves: [Curve]
    var width = 880
    var height = 340
    /// Whether values of several magnitudes get a logarithmic axis.
    var mayBeLogarithmic = true

    /// Points that are drawn of each curve at most.
    static let mostPoints = 600

    /// The drawing, for a page (`isAlone` false) or for a file of its own; nil without a point.
    func svg(isAlone: Bool) -> String? {
        let curves = curves.map { curve in
            var curve = curve
            curve.points.removeAll { !$0.value.isFinite }
            return curve
        }.filter { !$0.points.isEmpty }
        guard let frame = ChartFrame(curves, of: self) else { return nil }
        let head = """
            <svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 \(width) \(height)" \
            font-family="system-ui, sans-serif" font-size="12" role="img" \
            aria-label="\(title.escapedForHTML)">
            """
        let style = isAlone ? ["<style>\(ChartStyle.dark(for: ".chart"))</style>", ground] : []
        let parts =
            [head] + style + [text(title)] + legend(curves) + frame.grid
            + curves.flatMap(frame.drawing)
            + [frame.note(curves), "</svg>"]
        return parts.joined(separator: "\n")
    }

    private var ground: String {
        "<rect class=\"ground\" width=\"\(width)\" height=\"\(height)\" fill=\"#ffffff\"/>"
    }

    private func text(_ title: String) -> String {
        "<text class=\"title\" x=\"12\" y=\"22\" font-size=\"14\" font-weight=\"600\" "
            + "fill=\"\(ChartStyle.ink)\">\(title.escapedForHTML)</text>"
    }

    /// Names with their last values, from the right.
    private func legend(_ curves: [Curve]) -> [String] {
        var end = Double(width) - 16
        return curves.reversed().flatMap { curve -> [String] in
            let isScattered = curve.form == .scattered
            let last = curve.points.last.map { " " + ChartNumber.text($0.value) } ?? ""
            let words = isScattered ? curve.name : curve.name + last
            // Widths of letters are not known here; 6.4 is roomy at this size.
            let start = end - 6.4 * Double(words.count)
            end = start - 34
            return [
                isScattered
                    ? ChartFrame.dots([(start - 20, 18), (start - 14, 15), (start - 8, 20)], curve)
                    : ChartFrame.line([(start - 22, 18), (start - 6, 18)], curve),
                String(format: "<text x=\"%.1f\" y=\"22\" fill=\"\(ChartStyle.ink)\">", start)
                    + "\(words.escapedForHTML)</text>",
            ]
        }
    }
}
