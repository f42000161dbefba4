import FileSupport
import TrainingLogs
import Foundation
import TestSupport
import Testing

@Suite("Logs of lines")
struct TextLogTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func text(_ name: String) throws -> String {
        try String(contentsOfFile: folder.file(name), encoding: .utf8)
    }

    private func put(_ text: String, into name: String) throws -> String {
        try text.write(toFile: folder.file(name), atomically: false, encoding: .utf8)
        return folder.file(name)
    }

    @Test func aCSVLogHasARowForEachValueThatIsThereAtOnce() throws {
        let log = try CSVLog(path: folder.file("out/loss.csv"))
        try log.write(LogEntry(step: 1, ["loss": 0.25, "learning_rate": 1e-5]))
        #expect(
            try text("out/loss.csv") == "step,key,value\n1,loss,0.25\n1,learning_rate,1e-05\n")
    }

    @Test func aCSVLogWritesOnlyWhatIsAskedFor() throws {
        let log = try CSVLog(path: folder.file("loss.csv"), names: ["loss"])
        try log.write(LogEntry(step: 1, ["seconds_per_step": 3, "loss": 1]))
        #expect(try text("loss.csv") == "step,key,value\n1,loss,1.0\n")
    }

    @Test func numbersReadAsPythonPrintsThem() throws {
        let log = try CSVLog(path: folder.file("loss.csv"))
        let numbers: [(Double, String)] = [
            (0.1, "0.1"), (Double(Float(0.1)), "0.10000000149011612"), (1, "1.0"), (-0.0, "-0.0"),
            (0.0001, "0.0001"), (0.00001, "1e-05"), (9.9e15, "9900000000000000.0"),
            (1e16, "1e+16"), (.leastNonzeroMagnitude, "5e-324"), (-.nan, "nan"),
            (-.infinity, "-inf"),
        ]
        for (number, _) in numbers { try log.write(LogEntry(step: 0, ["x": number])) }
        let rows = try text("loss.csv").split(separator: "\n").dropFirst()
        #expect(rows.map { String($0.dropFirst("0,x,".count)) } == numbers.map(\.1))
    }

    @Test func namesThatWouldBreakARowAreQuoted() throws {
        let log = try CSVLog(path: folder.file("loss.csv"))
        try log.write(LogEntry(step: 1, ["a, \"b\"\nc": 1]))
        #expect(try text("loss.csv") == "step,key,value\n1,\"a, \"\"b\"\" c\",1.0\n")
    }

    @Test func aLogThatIsThereIsContinued() throws {
        let path = folder.file("loss.csv")
        for step in 1...2 {
            let log = try CSVLog(path: path)
            try log.write(LogEntry(step: step, ["loss": 0.5]))
            try log.close()
        }
        #expect(try text("loss.csv") == "step,key,value\n1,loss,0.5\n2,loss,0.5\n")
    }

    @Test(arguments: ["", "step,k", "step,key,value"])
    func aTornHeaderIsWrittenAnew(torn: String) throws {
        let log = try CSVLog(path: try put(torn, into: "loss.csv"), continuingAfter: 3)
        try log.write(LogEntry(step: 4, ["loss": 1]))
        #expect(try text("loss.csv") == "step,key,value\n4,loss,1.0\n")
    }

    @Test func rowsAfterTheCheckpointAreCutAndSoIsATornOne() throws {
        let rows = "step,key,value\n1,loss,0.5\n2,loss,0.4\n3,loss,0.3\n4,lo"
        let log = try CSVLog(path: try put(rows, into: "loss.csv"), continuingAfter: 2)
        try log.write(LogEntry(step: 3, ["loss": 9]))
        #expect(
            try text("loss.csv") == "step,key,value\n1,loss,0.5\n2,loss,0.4\n3,loss,9.0\n")
    }

    @Test func aJSONLogHasAnObjectInEachLine() throws {
        let log = try JSONLinesLog(path: folder.file("log.jsonl"))
        try log.write(LogEntry(step: 1, time: 1.23456, ["loss": 0.25, "a\"\n": .nan]))
        #expect(
            try text("log.jsonl")
                == #"{"step": 1, "time": 1.235, "loss": 0.25, "a\"\u000a": null}"# + "\n")
    }

    @Test func aJSONLogIsReadBackAsItWasWritten() throws {
        let path = folder.file("log.jsonl")
        let log = try JSONLinesLog(path: path)
        let entries = (1...3).map {
            LogEntry(step: $0, time: 1_700_000_000.5, ["loss": 1 / Double($0), "ü\\": 1e-9])
        }
        for entry in entries { try log.write(entry) }
        #expect(try JSONLinesLog.entries(of: path) == entries)
    }

    @Test func aJSONLogIsCutToo() throws {
        let whole = (1...3).map { "{\"step\": \($0), \"time\": 5.0, \"loss\": 0.5}\n" }
        let path = try put(whole.joined() + "{\"step\": 4, \"ti", into: "log.jsonl")
        #expect(try JSONLinesLog.entries(of: path).map(\.step) == [1, 2, 3])
        try JSONLinesLog(path: path).close()
        #expect(try text("log.jsonl") == whole.joined())
        try JSONLinesLog(path: path, continuingAfter: 2).close()
        #expect(try text("log.jsonl") == whole[0] + whole[1])
    }

    @Test func filesOfOthersAreRefusedAndLeftAlone() throws {
        let words = "my notes\nabout foxes"
        let path = try put(words, into: "notes")
        let csv = try #require(throws: TrainingLogError.self) { try CSVLog(path: path) }
        #expect(
            csv.description
                == "\(path): expected a log that begins with 'step,key,value', found 'my notes'")
        #expect(throws: TrainingLogError.self) { try JSONLinesLog(path: path) }
        #expect(try text("notes") == words)
    }

    @Test func badRowsAreNamedWhereTheyHaveToBeRead() throws {
        let csv = try put("step,key,value\n1,loss,2\n\none,loss,2\n", into: "loss.csv")
        let error = try #require(throws: TrainingLogError.self) {
            try CSVLog(path: csv, continuingAfter: 1)
        }
        #expect(
            error.description
                == "\(csv): line 4: expected a step, a key and a value, found 'one,loss,2'")
        let json = try put("{\"step\": 1}\n{\"step\": []}\n", into: "log.jsonl")
        #expect(
            try #require(throws: TrainingLogError.self) { try JSONLinesLog.entries(of: json) }
                .description.hasPrefix("\(json): line 2: expected a JSON object with a step"))
    }

    @Test func aClosedLogTakesNothing() throws {
        let log = try CSVLog(path: folder.file("loss.csv"))
        try log.close()
        try log.close()
        #expect(throws: TrainingLogError.self) { try log.write(LogEntry(step: 1, ["loss": 1])) }
    }

    @Test func aPlaceThatCannotBeWrittenIsNamed() {
        let error = #expect(throws: FileError.self) { try CSVLog(path: "/proc/none/loss.csv") }
        #expect(error?.description.hasPrefix("/proc/none: cannot make the folder") == true)
    }
}
