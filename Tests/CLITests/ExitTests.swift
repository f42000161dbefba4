import Foundation
import Imaging
import TestSupport
import Testing

@testable import FluxCLI

extension CommandLineTests {
    @Suite("Exit codes tell scripts what happened", .serialized)
    struct ExitCodes {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        @Test func eachHasItsOwn() throws {
            let original = folder.file("a.png")
            #expect(try Program.run(tinyArguments(output: original)).status == Exit.fine.rawValue)
            // It is there already.
            #expect(try Program.run(tinyArguments(output: original)).status == Exit.failed.rawValue)
            #expect(try Program.run(["generate"]).status == Exit.usage.rawValue)
            #expect(try Program.run(["no-such"]).status == Exit.usage.rawValue)
            let settings = try Image.readMetadata(of: original)
            var image = try Image(contentsOf: original)
            image.pixels[0] ^= 1
            let changed = folder.file("b.png")
            try image.write(to: changed, metadata: settings)
            let check = ["--check", "--model", Reference.ownModel("tiny-klein"), "--quiet"]
            #expect(try Program.run(["rerun", original] + check).status == Exit.fine.rawValue)
            #expect(try Program.run(["rerun", changed] + check).status == Exit.differs.rawValue)
            let running = try Program.start(
                tinyArguments(output: folder.file("c.png"), ["--steps", "10000"]))
            while !running.errors.contains("transformer: "), running.isRunning {
                Thread.sleep(forTimeInterval: 0.02)
            }
            running.interrupt()
            #expect(try running.finish().status == Exit.interrupted.rawValue)
        }

        @Test func errorsAreMappedInOnePlace() {
            #expect(Exit.code(for: CancellationError(), of: Flux2Command.self) == 130)
            #expect(Exit.code(for: Exit.differs.code, of: Flux2Command.self) == 2)
            #expect(Exit.code(ofSignal: SIGTERM) == 143)
        }

        @Test func theHelpListsThem() throws {
            let help = try Program.run(["--help"]).output
            #expect(try Program.run(["help"]).output == help)
            for exit in Exit.allCases {
                #expect(help.contains("\n  \(exit.rawValue) "), "\(exit)")
                #expect(help.contains(exit.meaning))
            }
            let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("docs/command-line.md")
            let text = try String(contentsOf: page, encoding: .utf8)
            for exit in Exit.allCases { #expect(text.contains("| \(exit.rawValue) |"), "\(exit)") }
        }

        @Test func theVersionIsACommandToo() throws {
            #expect(try Program.run(["version"]).output == Version.current + "\n")
            #expect(try Program.run(["--version"]).output == Version.current + "\n")
        }
    }
}
