@testable import FluxCLI
import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Lines of progress") struct ProgressLines {
        private let line = ProgressLine(
            title: "train", share: 0.5,
            details: [
                "1234 of 5678", "loss 0.1234", "3:45 left", "mean 0.2345", "0.52 s a step",
                "rate 0.0001",
            ])

        @Test(arguments: 1...200)
        func areNeverWiderThanTheWindow(_ columns: Int) {
            let text = line.text(columns: columns)
            #expect(text.count <= columns)
            if columns >= 40 { #expect(text.contains("1234 of 5678"), "\(text)") }
        }

        @Test func sayAllWhereThereIsRoom() {
            let whole = line.text(columns: nil)
            #expect(line.details.allSatisfy(whole.contains))
            #expect(line.text(columns: 200) == whole)
        }

        /// The end of a terminal that programs see, as Linux names it.
        private func otherEnd(of terminal: Int32) throws -> Int32 {
            let (unlock, number) = (UInt(0x4004_5431), UInt(0x8004_5430))
            var (isLocked, name) = (Int32(0), UInt32(0))
            try #require(terminal >= 0 && ioctl(terminal, unlock, &isLocked) == 0)
            try #require(ioctl(terminal, number, &name) == 0)
            return open("/dev/pts/\(name)", O_RDWR | O_NOCTTY)
        }

        private static let hasTerminals =
            FileManager.default.fileExists(atPath: "/dev/ptmx")
            && FileManager.default.fileExists(atPath: "/dev/pts")

        /// Runs the program before a terminal of so many columns, and makes that narrower on the way.
        private func lines(_ arguments: [String], columns: UInt16, then narrow: UInt16) throws
            -> (status: Int32, widths: [Int], text: String)
        {
            let ours = open("/dev/ptmx", O_RDWR | O_NOCTTY)
            let theirs = try otherEnd(of: ours)
            func resize(_ columns: UInt16) {
                var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
                _ = ioctl(theirs, UInt(TIOCSWINSZ), &size)
            }
            resize(columns)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Program.path)
            process.arguments = arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle(fileDescriptor: theirs, closeOnDealloc: false)
            var environment = ProcessInfo.processInfo.environment
            environment["FLUX2_PROMPT_CACHE"] = "off"
            process.environment = environment
            try process.run()
            var seen = Data()
            var buffer = [UInt8](repeating: 0, count: 65536)
            var isNarrow = false
            _ = fcntl(ours, F_SETFL, O_NONBLOCK)
            while true {
                let isOver = !process.isRunning
                let count = read(ours, &buffer, buffer.count)
                if count > 0 { seen.append(contentsOf: buffer.prefix(count)) }
                if !isNarrow, String(decoding: seen, as: UTF8.self).contains("train ") {
                    isNarrow = true
                    resize(narrow)
                    // What is on its way was drawn for the wide window.
                    usleep(300_000)
                    while read(ours, &buffer, buffer.count) > 0 {}
                    seen = Data()
                }
                if isOver, count <= 0 { break }
                if count <= 0 { usleep(2000) }
            }
            process.waitUntilExit()
            close(theirs)
            close(ours)
            let text = String(decoding: seen, as: UTF8.self)
                .replacing(/\u{1B}\[[0-9;?]*[A-Za-z]/, with: "")
            let widths = text.split { $0 == "\r" || $0 == "\n" || $0 == "\r\n" }
                .filter { $0.contains("█") || $0.contains("░") }.map(\.count)
            return (process.terminationStatus, widths, text)
        }

        @Test(.enabled(if: hasTerminals)) func fitAWindowThatHasBecomeNarrow() throws {
            let place = try TrainingPlace(images: 3)
            let (status, widths, text) = try lines(
                place.arguments(TrainingPlace.lora + ["--num_epochs", "60"]), columns: 120,
                then: 50)
            #expect(status == 0, "\(text)")
            #expect(!widths.isEmpty && widths.allSatisfy { $0 <= 50 }, "\(widths)")
        }
    }
}
