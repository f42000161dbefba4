import FluxEvaluation
import Foundation
import Imaging

/// A row with what became of its picture.
struct JudgedRow: Encodable {
    var row: Int
    var group: String
    var prompt: String
    var generated: Judgement
    /// The same for the expected picture itself.
    var expected: Judgement
}

/// All that an evaluation has found.
struct EvaluationOutcome {
    /// The object that `--json` prints.
    struct Summary: Encodable {
        /// What all rows have in common; a row's number is added to the seed.
        var settings: Settings?
        /// Mean over the pool of the autoencoder's dB.
        var autoencoderPsnr: Double
        /// Pictures among which neighbours are searched.
        var pool: Int
        var groups: [GroupFigures]
        /// Of all groups together; nil where only the autoencoder was looked at.
        var all: GroupFigures?
    }

    /// What `report.json` holds.
    struct Report: Encodable {
        var summary: Summary
        var rows: [JudgedRow]
    }

    let psnr: Double
    let pool: Int
    var rows: [JudgedRow] = []
    /// Generated and expected pictures side by side.
    var pairs: [Image] = []
    /// How pictures were made, if they were.
    var settings: Settings?

    /// - Parameter decibels: of each picture of the pool.
    init(decibels: [Double]) {
        pool = decibels.count
        psnr = decibels.reduce(0, +) / Double(max(1, pool))
    }

    var summary: Summary {
        // In the order in which they come first.
        var names: [String] = []
        for row in rows where !names.contains(row.group) { names.append(row.group) }
        return Summary(
            settings: settings, autoencoderPsnr: psnr, pool: pool,
            groups: names.map { name in Self.figures(name, rows.filter { $0.group == name }) },
            all: rows.isEmpty ? nil : Self.figures("all", rows))
    }

    private static func figures(_ name: String, _ rows: [JudgedRow]) -> GroupFigures {
        GroupFigures(name, generated: rows.map(\.generated), expected: rows.map(\.expected))
    }
}

extension EvaluationOutcome {
    /// The figures for people, in per cent.
    var table: String {
        let autoencoder = String(
            format: "autoencoder: %.2f dB over %ld pictures", psnr, pool)
        let summary = summary
        guard let all = summary.all else { return autoencoder }
        let head = [
            Self.line("", ["", "latents", "", "histogram", "", "color"]),
            Self.line("", ["rows", "top-1", "top-5", "top-1", "top-5", ""]),
        ]
        let groups = (summary.groups + [all]).flatMap(Self.lines)
        return (head + groups + [autoencoder]).joined(separator: "\n")
    }

    private static func lines(_ group: GroupFigures) -> [String] {
        [
            line(group.group, ["\(group.rows)"] + cells(group.generated)),
            line("  ceiling", [""] + cells(group.ceiling)),
            line("  chance", [""] + cells(group.chance)),
        ]
    }

    private static func cells(_ figures: Figures) -> [String] {
        let shares = [
            figures.latents.top1, figures.latents.top5, figures.histogram.top1,
            figures.histogram.top5, figures.color,
        ]
        return shares.map { $0.map { String(format: "%.1f", 100 * $0) } ?? "-" }
    }

    private static func line(_ name: String, _ cells: [String]) -> String {
        let columns = cells.map { cell in
            String(repeating: " ", count: max(1, 10 - cell.count)) + cell
        }
        return name.padding(toLength: max(12, name.count), withPad: " ", startingAt: 0)
            + columns.joined()
    }
}
