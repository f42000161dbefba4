@testable import TrainingLogs
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Images of a training as files") struct SampleFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.file("samples"))) ?? [])
            .sorted()
    }

    private func files(after last: Int = 0) throws -> SampleFiles {
        try SampleFiles(folder: folder.file("samples"), continuingAfter: last)
    }

    private func image(_ step: Int, _ name: String = "a fox") -> LoggedImage {
        LoggedImage(
            step: step, name: name, image: Image(width: 8, height: 4, red: 1, green: 2, blue: 3))
    }

    @Test func haveStepNumberAndPrompt() throws {
        let files = try files()
        #expect(names.isEmpty)
        var first = image(10, "a fox, \"ünder\" a tree")
        first.metadata = ["flux2": "{}"]
        let path = try files.write(first)
        try files.write(image(10))
        try files.write(image(20))
        #expect(names == ["step-000010-1.png", "step-000010-2.png", "step-000020-1.png"])
        #expect(try Image.readMetadata(of: path)["Description"] == "a fox, \"ünder\" a tree")
        #expect(try Image.readMetadata(of: path)["flux2"] == "{}")
    }

    @Test func ofStepsThatAreDoneAgainGoAndOtherFilesStay() throws {
        for step in [10, 20, 30] { try files(after: step - 1).write(image(step)) }
        let own = folder.file("samples/step-x-1.png")
        try Data([1]).write(to: URL(fileURLWithPath: own))
        _ = try files(after: 20)
        #expect(names == ["step-000010-1.png", "step-000020-1.png", "step-x-1.png"])
    }

    @Test func areWhatAReportShowsOfAnEarlierRun() throws {
        for step in 1...30 { try files(after: step - 1).write(image(step, "prompt of \(step)")) }
        let path = folder.file("report.html")
        let report = try TrainingReport(
            path: path, title: "", facts: [], images: try files(after: 30))
        try report.close()
        let page = try String(contentsOfFile: path, encoding: .utf8)
        #expect(page.contains("prompt of 1<") && page.contains("prompt of 30<"))
        #expect(page.components(separatedBy: "<figure>").count - 1 == 24)
        #expect(page.contains("24 of 30 steps with samples are shown"))
    }
}
