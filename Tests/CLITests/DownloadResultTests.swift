import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Downloads have the common options", .serialized)
    struct DownloadResults {
        private let hub: LocalHub
        private let home: TemporaryFolder

        init() throws {
            hub = try LocalHub()
            home = try TemporaryFolder()
            try hub.add("owner/some", ["a.txt": Data("a".utf8), "b.bin": Data("b".utf8)])
        }

        private func run(_ arguments: [String]) throws -> Program.Outcome {
            try Program.run(
                arguments,
                environment: hub.environment(in: home.path).merging(["HF_HUB_OFFLINE": "0"]) { $1 },
                in: home.path)
        }

        private func object(_ arguments: [String]) throws -> [String: Any] {
            let outcome = try run(arguments + ["--json", "-q"])
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
            return try #require(
                JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        }

        @Test func modelAndOutputMayBeNamed() throws {
            let (a, b) = (home.file("a"), home.file("b"))
            let told = try object(["download", "-m", "owner/some", "-o", a])
            #expect(told["folders"] as? [String] == [a] && told["name"] as? String == "owner/some")
            #expect(told["warnings"] as? [String] == [])
            let quiet = try run(["download", "owner/some", "--local-dir", b, "-q"])
            #expect(quiet.output == b + "\n" && quiet.errors.isEmpty)
            for folder in [a, b] {
                #expect(try String(contentsOfFile: folder + "/a.txt", encoding: .utf8) == "a")
            }
            let both = try run(["download", "--dataset", "--model", "owner/some"])
            #expect(both.status == 64 && both.errors.contains("--model contradicts --dataset"))
            #expect(try run(["download"]).status == 64)
        }

        @Test func removalsTellWhatIsGone() throws {
            _ = try object(["download", "owner/some"])
            let asked = try run(["models", "remove", "owner/some", "--json"])
            #expect(asked.status == 64 && asked.output.isEmpty)
            let told = try object(["models", "remove", "-m", "owner/some", "--force"])
            let removed = try #require(told["removed"] as? [[String: Any]])
            #expect(removed.count == 1 && (removed[0]["bytes"] as? Int ?? 0) > 1)
            let path = try #require(removed[0]["path"] as? String)
            #expect(!FileManager.default.fileExists(atPath: path))
            _ = try run(["download", "owner/some", "-q"])
            let quiet = try run(["models", "remove", "owner/some", "--force", "-q"])
            #expect(quiet.status == 0 && quiet.output.isEmpty)
        }
    }
}
