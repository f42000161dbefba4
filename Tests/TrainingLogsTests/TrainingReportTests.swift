@testable import TrainingLogs
import FileSupport
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Reports")
struct TrainingReportTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func report(
        title: String = "Foxes", total: Int? = nil, history: [LogEntry] = [],
        interval: Duration = .seconds(600)
    ) throws -> TrainingReport {
        try TrainingReport(
            path: folder.file("out/report.html"), title: title,
            facts: [("model", "klein <4B>"), ("rank", "16")], totalSteps: total,
            history: history, interval: interval)
    }

    private var page: String {
        get throws {
            try String(contentsOfFile: folder.file("out/report.html"), encoding: .utf8)
        }
    }

    private func image(_ step: Int, _ name: String = "a fox", side: Int = 300) -> LoggedImage {
        let image = Image(width: side, height: side / 2, red: 200, green: 90, blue: 10)
        return LoggedImage(step: step, name: name, image: image)
    }

    @Test func tellWhatIsTrainedAndHowFarItIs() throws {
        let report = try report(total: 40)
        report.setFact("rank", "8")
        report.setFact("machine", "a quiet one")
        report.warn("Two images are & stay broken.")
        report.setUsage("flux2 generate 'a fox' --lora foxes.safetensors")
        for step in 1...30 {
            try report.write(LogEntry(step: step, ["loss": 1 / Double(step)]))
        }
        try report.rewrite()
        let page = try page
        #expect(page.contains("<h1>Foxes</h1>") && page.contains(">running</span>"))
        #expect(page.contains("step 30 of 40 · loss "))
        #expect(page.contains("<dt>model</dt><dd>klein &lt;4B&gt;</dd>"))
        #expect(page.contains("<dt>rank</dt><dd>8</dd>") && page.contains("a quiet one"))
        #expect(page.contains("<li>Two images are &amp; stay broken.</li>"))
        #expect(page.contains("<pre>flux2 generate &#39;a fox&#39; --lora foxes.safetensors</pre>"))
    }

    @Test func needNothingElseAndAreWellFormed() throws {
        let report = try report(title: "<script>alert('ü')</script> & \u{1}more")
        for step in 1...2000 {
            try report.write(
                LogEntry(
                    step: step,
                    [
                        "loss": 0.3, "learning_rate": 1e-4, "gradient_norm": Double(step),
                        "validation_loss": step % 100 == 0 ? 0.4 : .nan,
                    ]))
        }
        try report.add(image(2000, "\"/><b onload=x>"))
        try report.close()
        let page = try page
        #expect(!page.contains("<script") && !page.contains("<b onload"))
        #expect(!page.contains("<link") && !page.contains("@import") && !page.contains("url("))
        let addresses = page.components(separatedBy: "http").dropFirst()
        #expect(addresses.allSatisfy { $0.hasPrefix("://www.w3.org/2000/svg\"") })
        // Void elements aside, the page is XML, and a strict parser tells whether tags match.
        let xml = page.replacing(#/<(meta|img)([^>]*)>/#) { "<\($0.1)\($0.2)/>" }
        #expect(XMLCheck.isWellFormed(xml.replacing("<!DOCTYPE html>", with: "")))
    }

    @Test func areWrittenAtTheFirstStepThenNowAndThenAndForNewImages() throws {
        let report = try report()
        #expect(!FileManager.default.fileExists(atPath: report.path))
        try report.write(LogEntry(step: 1, ["loss": 1]))
        try report.write(LogEntry(step: 2, ["loss": 1]))
        #expect(try page.contains("step 1 "))
        try report.add(image(2))
        #expect(try !page.contains("<img"))
        try report.write(LogEntry(step: 3, ["loss": 1]))
        #expect(try page.contains("<img") && page.contains("step 3 "))
        #expect(folder.contents == ["out"])
        let always = try self.report(interval: .zero)
        for step in 4...6 {
            try always.write(LogEntry(step: step, ["loss": 1]))
            #expect(try page.contains("step \(step) "))
        }
    }

    @Test func tellHowATrainingEnded() throws {
        for (steps, word) in [(5, "stopped"), (6, "finished")] {
            let report = try report(total: 6)
            try report.write(LogEntry(step: steps, ["loss": 1]))
            try report.close()
            try report.close()
            #expect(try page.contains(">\(word)</span>"))
            #expect(throws: TrainingLogError.self) {
                try report.write(LogEntry(step: 7, ["loss": 1]))
            }
        }
    }

    @Test func goOnWithWhatAnEarlierRunLeft() throws {
        let history = (1...20).map { LogEntry(step: $0, ["loss": 8]) }
        let report = try report(history: history)
        try report.write(LogEntry(step: 21, ["loss": 8]))
        #expect(try page.contains("loss 8 → 8"))
    }

    @Test func warnOfLossesThatAreNoNumbers() throws {
        let report = try report()
        for step in 1...4 {
            try report.write(LogEntry(step: step, ["loss": step == 2 ? 1 : .nan]))
        }
        try report.close()
        #expect(try page.contains("The loss was not a number at step 1 and 2 more."))
    }

    @Test func showImagesOfManyStepsWithoutGrowing() throws {
        var gallery = SampleGallery()
        for step in 0...100 { try gallery.add(image(10 * step, side: 40)) }
        let steps = gallery.rows.map(\.step)
        #expect(steps.count == 24 && gallery.dropped == 77)
        #expect(steps.first == 0 && steps.last == 1000 && steps == steps.sorted())
        let gaps = zip(steps, steps.dropFirst()).map { $1 - $0 }
        #expect(gaps.allSatisfy { $0 <= 80 })
    }

    @Test func showOnlyTheLatestImagesLarge() throws {
        var gallery = SampleGallery()
        try gallery.add(image(1, side: 2000))
        #expect(gallery.rows[0].samples[0].large?.width == 768)
        try gallery.add(image(2))
        try gallery.add(image(2, "another"))
        #expect(gallery.rows[0].samples[0].large == nil)
        #expect(gallery.rows[0].samples[0].small.width == 256)
        #expect(gallery.rows[1].samples.map(\.large?.width) == [300, 300])
        #expect(gallery.rows[1].samples[0].small.height == 128)
    }

    @Test func areRefusedBeforehandWhereTheyCannotBeWritten() throws {
        #expect(throws: FileError.self) {
            try TrainingReport(path: folder.path, title: "", facts: [])
        }
    }
}

enum XMLCheck {
    /// Whether tags open and close in order, and attributes are quoted; enough for our pages.
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for tag in text.matches(of: #/<(/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z0-9-]+="[^"<]*")*)\s*(/?)>/#)
        {
            if !tag.1.isEmpty {
                guard open.popLast() == tag.2 else { return false }
            } else if tag.4.isEmpty {
                open.append(tag.2)
            }
        }
        let marks = text.count { $0 == "<" }
        return open.isEmpty && marks == text.matches(of: #/<\/?[a-zA-Z]/#).count
    }
}
