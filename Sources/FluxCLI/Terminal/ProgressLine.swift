import Foundation

/// A line that is drawn over: what is being done, a bar, and numbers, of which the first matter most.
struct ProgressLine {
    var title: String
    /// From 0 to 1.
    var share: Double
    /// Left out from the end where there is no room.
    var details: [String]

    /// The line in at most so many columns; nil leaves nothing out.
    func text(columns: Int?) -> String {
        guard let columns else { return text(bar: Terminal.barWidth, details.count) }
        for count in (1...max(1, details.count)).reversed() {
            for bar in [Terminal.barWidth, Terminal.barWidth / 2] {
                let text = text(bar: bar, count)
                if text.count <= columns { return text }
            }
        }
        return String(text(bar: 4, 1).prefix(max(0, columns)))
    }

    private func text(bar: Int, _ count: Int) -> String {
        let first = details.first.map { " \($0)" } ?? ""
        let rest = details.prefix(count).dropFirst().joined(separator: ", ")
        return title.padding(toLength: max(8, title.count + 1), withPad: " ", startingAt: 0)
            + Terminal.bar(share, width: bar) + first + (rest.isEmpty ? "" : "  \(rest)")
    }
}
