import FileSupport
import Foundation
@testable import ModelHub
import Synchronization
import TestSupport
import Testing

/// Bytes that look like nothing in particular and are the same each time.
func noise(_ count: Int, seed: UInt64 = 1) -> Data {
    var state = seed
    return Data(
        (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        })
}

/// One hub for all tests of a suite, and a folder of its own for each.
final class Bench {
    nonisolated(unsafe) static let hub = Result { try LocalHub() }

    let hub: LocalHub
    let home: TemporaryFolder
    var settings: HubSettings
    let events = Mutex<[DownloadEvent]>([])

    init(_ more: [String: String] = [:]) throws {
        hub = try Self.hub.get()
        home = try TemporaryFolder()
        settings = try HubSettings(
            environment: hub.environment(in: home.path).merging(more) { $1 })
        settings.partSize = 20_000
        settings.connections = 4
        settings.pause = 0.01
        settings.attempts = 3
        settings.patience = 60
    }

    /// Lists and fetches a whole repository.
    @discardableResult
    func fetch(
        _ id: String, from source: Hub = .huggingFace, dataset: Bool = false,
        revision: String? = nil, to destination: Destination? = nil
    ) async throws -> String {
        let client = HubClient(settings)
        let repository = try Repository(id, kind: dataset ? .dataset : .model)
        let snapshot = try await client.snapshot(
            of: repository, revision: revision, on: source, onEvent: { self.note($0) })
        return try await client.download(
            snapshot.files, of: snapshot, to: destination ?? .folder(home.file("out"))
        ) { event in self.note(event) }
    }

    private func note(_ event: DownloadEvent) { events.withLock { $0.append(event) } }

    /// The seconds that were waited before another try.
    var waits: [Double] {
        events.withLock { $0 }.compactMap {
            if case .waiting(let seconds, _) = $0 { seconds } else { nil }
        }
    }

    func contents(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path))
    }

    /// The requests for a repository that began after the first `count`.
    func requests(_ id: String, after count: Int = 0) -> [LocalHub.Request] {
        hub.requests.dropFirst(count).filter { $0.path.contains(id) }
    }

    /// All files in this test's folder, hidden ones too.
    var leftovers: [String] {
        (FileManager.default.enumerator(atPath: home.path)?.allObjects as? [String] ?? []).sorted()
    }
}

extension Bench: @unchecked Sendable {}

/// What came instead of success.
func failure(_ body: () async throws -> Void) async -> String {
    do {
        try await body()
        return "no error"
    } catch { return "\(error)" }
}

@Suite("Files come from hubs whole or not at all", .serialized)
struct DownloadTests {
    private let files = [
        "config.json": Data("{}".utf8), "empty.txt": Data(), "sub/large.bin": noise(130_001),
        "sub/other.bin": noise(70_000, seed: 2), "name with ü and %.txt": noise(50, seed: 3),
    ]

    private func expectAll(_ bench: Bench, in folder: String) throws {
        for (path, content) in files {
            #expect(try bench.contents(folder + "/" + path) == content, "\(path)")
        }
    }

    @Test(arguments: [Hub.huggingFace, .modelScope])
    func inParallelParts(hub: Hub) async throws {
        let bench = try Bench()
        let id = "parts/\(hub.rawValue)"
        try bench.hub.add(id, files)
        let folder = try await bench.fetch(id, from: hub)
        try expectAll(bench, in: folder)
        let asked = bench.requests(id).filter { $0.place == "second" }
        let ranges = asked.compactMap { $0.headers["range"] }
        #expect(Set(asked.map { "\($0.path) \($0.headers["range"] ?? "")" }).count == asked.count)
        #expect(ranges.contains("bytes=120000-130000") && ranges.contains("bytes=0-19999"))
        #expect(!bench.leftovers.contains { $0.hasSuffix(".part") })
        let sum = files.values.reduce(0) { $0 + $1.count }
        let events = bench.events.withLock { $0 }
        #expect(events.first == .began(files: 5, bytes: sum, present: 0))
        #expect(events.contains(.received(bytes: sum)))
    }

    @Test func dataSetsOfManyPages() async throws {
        let bench = try Bench()
        // Pages have 3 entries on one hub and 200 on the other.
        for (hub, count) in [(Hub.huggingFace, 7), (.modelScope, 201)] {
            let id = "sets/\(hub.rawValue)"
            let many = (0..<count).map { ("images/\($0).txt", Data("\($0)".utf8)) }
            try bench.hub.add(id, Dictionary(uniqueKeysWithValues: many), dataset: true)
            let folder = try await bench.fetch(
                id, from: hub, dataset: true, to: .folder(bench.home.file(hub.rawValue)))
            #expect(LocalFiles.all(in: folder).count == count)
        }
    }

    @Test func aSecondTimeNothingIsFetched() async throws {
        let bench = try Bench()
        try bench.hub.add("twice/a", files)
        try await bench.fetch("twice/a")
        let before = bench.hub.requests.count
        try await bench.fetch("twice/a")
        #expect(bench.requests("twice/a", after: before).allSatisfy { $0.path.contains("/api/") })
    }

    @Test func connectionsThatDropAreTakenUpWhereTheyEnded() async throws {
        let bench = try Bench()
        try bench.hub.add("drops/a", files, behavior: ["drop": 6000])
        try expectAll(bench, in: try await bench.fetch("drops/a"))
        let ranges = bench.requests("drops/a").compactMap { $0.headers["range"] }
        #expect(ranges.contains("bytes=6000-19999") && ranges.contains("bytes=12000-19999"))
    }

    @Test func whatAnInterruptedDownloadLeftIsKept() async throws {
        let bench = try Bench()
        let content = try #require(files["sub/large.bin"])
        try bench.hub.add("resume/a", ["large.bin": content], behavior: ["dies": 3])
        bench.settings.connections = 1
        let error = await failure { try await bench.fetch("resume/a") }
        #expect(error.contains("3 times in a row"), "\(error)")
        #expect(!FileManager.default.fileExists(atPath: bench.home.file("out/large.bin")))
        try bench.hub.tell("resume/a", [:])
        bench.events.withLock { $0 = [] }
        let before = bench.hub.requests.count
        let folder = try await bench.fetch("resume/a")
        guard case .began(1, 130_001, let present)? = bench.events.withLock({ $0.first }) else {
            Issue.record("no beginning")
            return
        }
        #expect(present == 60_000)
        let asked = bench.requests("resume/a", after: before).filter { $0.place == "second" }
            .compactMap { $0.headers["range"] }
            .map { range in
                let ends = range.dropFirst("bytes=".count).split(separator: "-")
                return (Int(ends[1]) ?? 0) - (Int(ends[0]) ?? 0) + 1
            }.reduce(0, +)
        #expect(asked == 130_001 - present)
        #expect(try bench.contents(folder + "/large.bin") == content)
    }

    @Test func serversWithoutRangesSendWholeFiles() async throws {
        let bench = try Bench()
        try bench.hub.add("whole/a", files, behavior: ["ranges": false])
        try expectAll(bench, in: try await bench.fetch("whole/a"))
    }

    /// Without a sum, nothing but the order of events keeps the bytes right.
    @Test func serversThatIgnoreARangeNowAndThen() async throws {
        for round in 0..<5 {
            let bench = try Bench()
            let id = "mixed/\(round)"
            try bench.hub.add(
                id, ["sub/large.bin": files["sub/large.bin"] ?? Data()],
                behavior: ["ranges": "mixed"])
            let client = HubClient(bench.settings)
            var snapshot = try await client.snapshot(of: Repository(id), on: .huggingFace)
            snapshot.files[0].checksum = nil
            try await client.download(
                snapshot.files, of: snapshot, to: .folder(bench.home.file("out")))
            #expect(
                try bench.contents(bench.home.file("out/sub/large.bin")) == files["sub/large.bin"])
        }
    }

    @Test func filesOfTheSameContentAreFetchedOnce() async throws {
        let bench = try Bench()
        let same = noise(50_000, seed: 9)
        let names = ["a.bin", "b.bin", "x/c.bin"]
        try bench.hub.add(
            "same/a", Dictionary(uniqueKeysWithValues: names.map { ($0, same) }),
            behavior: ["stall": 0.05])
        let folder = try await bench.fetch("same/a", to: .cache(bench.settings.cache))
        for name in names { #expect(try bench.contents(folder + "/" + name) == same) }
        let parts = bench.requests("same/a").filter { $0.place == "second" }
        #expect(parts.count == 3)
    }

    @Test func changedFilesOfTheSameSizeAreFetchedAnew() async throws {
        let bench = try Bench()
        try bench.hub.add("stale/a", ["w.bin": noise(30_000, seed: 1), "c.txt": Data("1".utf8)])
        let folder = try await bench.fetch("stale/a")
        let new = noise(30_000, seed: 2)
        try bench.hub.add("stale/a", ["w.bin": new, "c.txt": Data("2".utf8)])
        try await bench.fetch("stale/a")
        #expect(try bench.contents(folder + "/w.bin") == new)
        #expect(try bench.contents(folder + "/c.txt") == Data("2".utf8))
        // What has rotted on the disk since is noticed too.
        try noise(30_000, seed: 3).write(to: URL(fileURLWithPath: folder + "/w.bin"))
        try await bench.fetch("stale/a")
        #expect(try bench.contents(folder + "/w.bin") == new)
    }

    @Test func halfADownloadIsMarkedAsSuch() async throws {
        let bench = try Bench()
        try bench.hub.add("half/a", files, behavior: ["dies": 1])
        _ = await failure { try await bench.fetch("half/a") }
        let folder = bench.home.file("out")
        #expect(IncompleteMarker.isOpen(in: folder, for: "sub/"))
        #expect(!IncompleteMarker.isOpen(in: folder, for: "elsewhere/"))
        try bench.hub.tell("half/a", [:])
        try await bench.fetch("half/a")
        #expect(!IncompleteMarker.isOpen(in: folder, for: ""))
    }

    /// As a process leaves it that was killed between the last byte and the final name.
    @Test func aCompleteFileWithoutItsNameIsNotFetchedAgain() async throws {
        let bench = try Bench()
        let content = noise(30_000, seed: 5)
        try bench.hub.add("late/a", ["large.bin": content])
        let sum = Checksum.of(content, .sha256).value
        try FileManager.default.createDirectory(
            atPath: bench.home.file("out"), withIntermediateDirectories: true)
        try content.write(
            to: URL(fileURLWithPath: bench.home.file("out/.large.bin.\(sum.prefix(16)).part")))
        let folder = try await bench.fetch("late/a")
        #expect(try bench.contents(folder + "/large.bin") == content)
        #expect(bench.requests("late/a").allSatisfy { $0.path.contains("/api/") })
    }

    @Test func aFileWithAWrongByteIsFetchedAgainOnce() async throws {
        let bench = try Bench()
        let one = ["large.bin": noise(30_000)]
        // A part of each file is answered wrongly, then all are right.
        try bench.hub.add("wrong/once", one, behavior: ["corrupt": 1])
        let folder = try await bench.fetch("wrong/once")
        #expect(try bench.contents(folder + "/large.bin") == one["large.bin"])
        #expect(
            bench.events.withLock { $0 }.contains(.damaged(path: folder + "/large.bin")))
        try bench.hub.add("wrong/always", one, behavior: ["corrupt": 1000])
        let error = await failure {
            try await bench.fetch("wrong/always", to: .folder(bench.home.file("b")))
        }
        #expect(error.hasPrefix("large.bin: damaged on its way twice: SHA-256 should be "))
        #expect(!bench.leftovers.contains { $0.hasPrefix("b/") && $0.contains("large") })
    }

    @Test func serversThatLieAboutLengthsAreNotBelieved() async throws {
        let bench = try Bench()
        try bench.hub.add("lies/a", ["large.bin": noise(30_000)], behavior: ["lie": 5])
        let error = await failure { try await bench.fetch("lies/a") }
        #expect(error == "large.bin: the hub lists 30000 bytes, its server sends 30005")
        try bench.hub.add("lies/b", ["large.bin": noise(30_000)], behavior: ["ranges": "wrong"])
        #expect(
            await failure { try await bench.fetch("lies/b") }
                == "large.bin: the server sends another part than asked")
    }

    @Test func busyServersAreWaitedFor() async throws {
        let bench = try Bench()
        for status in [429, 500, 502, 503, 504] {
            let id = "busy/\(status)"
            try bench.hub.add(id, files, behavior: ["busy": [2, status, 0]])
            try expectAll(
                bench, in: try await bench.fetch(id, to: .folder(bench.home.file("\(status)"))))
        }
        try bench.hub.add("busy/asks", files, behavior: ["busy": [1, 429, 1]])
        try await bench.fetch("busy/asks", to: .folder(bench.home.file("asks")))
        #expect(bench.waits.contains { $0 >= 1 })
        try bench.hub.add("busy/always", files, behavior: ["status": 503])
        #expect(
            await failure { try await bench.fetch("busy/always") }
                == "busy/always: Hugging Face answered with status 503 3 times in a row; "
                + "try again later")
    }

    @Test func aServerThatHangsIsLeft() async throws {
        let bench = try Bench()
        bench.settings.patience = 1
        bench.settings.attempts = 2
        // Longer than any test waits, so an error says that it was left.
        try bench.hub.add("hangs/a", files, behavior: ["stall": 600])
        let error = await failure { try await bench.fetch("hangs/a") }
        #expect(error.contains("hangs/a: localhost") && error.contains("2 times in a row"))
    }
}
