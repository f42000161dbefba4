import FluxEvaluation
import Foundation
import Imaging

/// A row with what became of its image.
struct ScoredRow: Encodable {
    var row: Int
    var group: String
    var prompt: String
    var generated: ImageScore
    /// The same for the expected image itself.
    var expected: ImageScore
}

/// All that an evaluation has found.
struct EvaluationOutcome {
    /// The object that `--json` prints.
    struct Summary: Encodable {
        /// What all rows have in common; a row's number is added to the seed.
        var settings: GenerationMetadata?
        /// Mean over the pool of the autoencoder's dB.
        var autoencoderPsnr: Double
        /// Images among which neighbors are searched.
        var pool: Int
        var groups: [GroupMetrics]
        /// Of all groups together; nil where only the autoencoder was looked at.
        var all: GroupMetrics?
    }

    /// What `report.json` holds.
    struct Report: Encodable {
        var summary: Summary
        var rows: [ScoredRow]
    }

    let psnr: Double
    let pool: Int
    var rows: [ScoredRow] = []
    /// Generated and expected images side by side.
    var pairs: [Image] = []
    /// How images were made, if they were.
    var settings: GenerationMetadata?

    /// - Parameter decibels: of each image of the pool.
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
            groups: names.map { name in Self.metrics(name, rows.filter { $0.group == name }) },
            all: rows.isEmpty ? nil : Self.metrics("all", rows))
    }

    private static func metrics(_ name: String, _ rows: [ScoredRow]) -> GroupMetrics {
        GroupMetrics(name, generated: rows.map(\.generated), expected: rows.map(\.expected))
    }
}

extension EvaluationOutcome {
    /// The figures for people, in per cent.
    var table: String {
        let autoencoder = String(
            format: "autoencoder: %.2f dB over %ld images", psnr, pool)
        let summary = summary
        guard let all = summary.all else { return autoencoder }
        let head = [
            Self.line("", ["", "latents", "", "histogram", "", "color"]),
            Self.line("", ["rows", "top-1", "top-5", "top-1", "top-5", ""]),
        ]
        let groups = (summary.groups + [all]).flatMap(Self.lines)
        return (head + groups + [autoencoder]).joined(separator: "\n")
    }

    private static func lines(_ group: GroupMetrics) -> [String] {
        [
            line(group.group, ["\(group.rows)"] + cells(group.generated)),
            line("  ceiling", [""] + cells(group.ceiling)),
            line("  chance", [""] + cells(group.chance)),
        ]
    }

    private static func cells(_ metrics: Metrics) -> [String] {
        let shares = [
            metrics.latents.top1, metrics.latents.top5, metrics.histogram.top1,
            metrics.histogram.top5, metrics.color,
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
