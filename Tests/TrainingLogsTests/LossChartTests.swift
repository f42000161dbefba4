@testable import TrainingLogs
import Foundation
import TestSupport
import Testing

@Suite("Charts")
struct LossChartTests {
    private func entries(_ count: Int, _ loss: (Int) -> Double) -> [LogEntry] {
        (1...count).map { LogEntry(step: $0, ["loss": loss($0)]) }
    }

    @Test func areWrittenAsDrawings() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("loss.svg")
        try LossChart(entries(50) { 1 / Double($0) }).write(to: path)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasPrefix("<svg xmlns=") && text.hasSuffix("</svg>\n"))
        #expect(XMLCheck.isWellFormed(text))
        #expect(text.contains("loss, smoothed") && !text.contains("held out"))
    }

    @Test func doWithoutAnythingToDraw() throws {
        let folder = try TemporaryFolder()
        #expect(LossChart([]).svg == nil)
        try LossChart([LogEntry(step: 1, ["loss": .nan])]).write(to: folder.file("loss.svg"))
        #expect(folder.contents.isEmpty)
    }

    @Test(arguments: [
        [1], [0, 0], [-1, 1], [1e-300, 1e300], [-1e308, 1e308], [.leastNonzeroMagnitude, 0],
        [0.1, 0.1, 0.1],
        [.infinity, 3],
    ])
    func bearAnyNumbers(losses: [Double]) throws {
        let svg = try #require(LossChart(entries(losses.count) { losses[$0 - 1] }).svg)
        #expect(!svg.contains("nan") && !svg.contains("inf"))
    }

    @Test func drawNoMoreThanCanBeSeenAndKeepPeaks() {
        let points = (0..<100_000).map {
            ChartPoint(step: Double($0), value: $0 == 777 ? 9 : Double($0 % 7) / 7)
        }
        for thin in [points.thinned(to: 600), points.sampled(to: 600)] {
            #expect(thin.count <= 600 && thin.contains { $0.value == 9 })
            #expect(thin.map(\.step) == thin.map(\.step).sorted())
        }
        #expect(
            points.prefix(10).map(\.step) == Array(points.prefix(10)).thinned(to: 600).map(\.step))
    }

    @Test func areLogarithmicWhereMagnitudesDiffer() {
        let axis = ChartAxis(values: 0.001...1, ticks: 5, mayBeLogarithmic: true)
        #expect(axis.isLogarithmic && axis.ticks.map(axis.label) == ["0.001", "0.01", "0.1", "1"])
        let plain = ChartAxis(values: 0.1...0.5, ticks: 5, mayBeLogarithmic: true)
        #expect(
            !plain.isLogarithmic
                && plain.ticks.map(plain.label) == ["0.1", "0.2", "0.3", "0.4", "0.5"])
        let steps = ChartAxis(steps: 1...20_000, ticks: 5)
        #expect(steps.ticks.map(steps.label) == ["5k", "10k", "15k", "20k"])
    }

    @Test func areNotFlattenedByASingleSpike() throws {
        let svg = try #require(
            LossChart(entries(500) { $0 == 250 ? 1e6 : 0.3 + Double($0 % 10) / 100 }).svg)
        #expect(svg.contains("1 off the scale") || svg.contains("logarithmic"))
    }
}
