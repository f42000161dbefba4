import Foundation
@testable import ModelHub
import TestSupport
import Testing

@Suite("What hubs refuse is said so that one can act", .serialized)
struct RefusalTests {
    private let files = ["config.json": Data("{}".utf8), "large.bin": noise(30_000)]

    @Test func sumsThatCannotBeRead() throws {
        let digits = String(repeating: "0a", count: 32)
        #expect(try Checksum(.sha256, listed: digits, of: "a.bin")?.value == digits)
        for absent in [nil, ""] {
            #expect(try Checksum(.sha256, listed: absent, of: "a.bin") == nil)
        }
        for text in ["x", String(digits.dropLast()), digits + "0", "sha256:" + digits] {
            let error = #expect(throws: HubError.self) {
                try Checksum(.sha256, listed: text, of: "a.bin")
            }
            #expect(error?.description.hasPrefix("a.bin: the hub lists '\(text.prefix(8))") == true)
        }
    }

    @Test func gatedRepositories() async throws {
        for token in [nil, "hf_secret"] {
            let bench = try Bench(token.map { ["HF_TOKEN": $0] } ?? [:])
            try bench.hub.add("gated/a", files, behavior: ["gated": true])
            let error = await failure { try await bench.fetch("gated/a") }
            #expect(error.contains("open \(bench.hub.address)/gated/a, agree there"))
            #expect(error.contains("set HF_TOKEN to a token of that account"))
            #expect(error.contains("the present one is not let in") == (token != nil))
            #expect(!error.contains("secret"))
        }
    }

    @Test func privateAndUnknownRepositories() async throws {
        let bench = try Bench()
        try bench.hub.add("private/a", files, behavior: ["private": "hf_secret"])
        let closed = await failure { try await bench.fetch("private/a") }
        #expect(closed.contains("does not show it to you; if it is private, set HF_TOKEN"))
        #expect(
            await failure { try await bench.fetch("nobody/nothing", from: .modelScope) }
                .contains("ModelScope has no such repository"))
        try bench.hub.add("public/a", files)
        let revision = await failure { try await bench.fetch("public/a", revision: "v9") }
        #expect(revision.contains("no such repository with a revision 'v9'"))
        let known = try Bench(["HF_TOKEN": "hf_secret", "MODELSCOPE_API_TOKEN": "hf_secret"])
        for hub in Hub.allCases {
            try await known.fetch(
                "private/a", from: hub, to: .folder(known.home.file(hub.rawValue)))
        }
    }

    @Test func tokensGoToTheHubAlone() async throws {
        let bench = try Bench(["HF_TOKEN": "hf_secret", "MODELSCOPE_API_TOKEN": "ms_secret"])
        try bench.hub.add("token/a", files)
        for hub in Hub.allCases {
            try await bench.fetch(
                "token/a", from: hub, to: .folder(bench.home.file(hub.rawValue)))
        }
        let requests = bench.requests("token/a")
        let (own, other) = (
            requests.filter { $0.place == "hub" }, requests.filter { $0.place != "hub" }
        )
        #expect(!own.isEmpty && own.allSatisfy { $0.headers["authorization"] != nil })
        #expect(!other.isEmpty)
        for request in other {
            #expect(request.headers["authorization"] == nil && request.headers["cookie"] == nil)
        }
    }

    @Test func tokensAreNotSentInClearText() async throws {
        let bench = try Bench(["HF_TOKEN": "hf_secret", "HF_ENDPOINT": "http://hub.example"])
        let error = await failure { try await bench.fetch("any/thing") }
        #expect(error.hasPrefix("HF_TOKEN: is not sent to http://hub.example"))
        #expect(!error.contains("secret"))
        let odd = try Bench(["HF_TOKEN": "a\r\nX-Evil: b"])
        let second = await failure { try await odd.fetch("any/thing") }
        #expect(second == "HF_TOKEN: holds characters that no token has")
    }

    @Test func redirectsAstray() async throws {
        let bench = try Bench()
        try bench.hub.add("astray/plain", files, behavior: ["redirect": "plain"])
        let plain = await failure { try await bench.fetch("astray/plain") }
        #expect(plain.contains("without encryption, which is not followed"))
        #expect(bench.requests("astray/plain").allSatisfy { $0.place != "plain" })
        try bench.hub.add("astray/loop", files, behavior: ["redirect": "loop"])
        let loop = await failure { try await bench.fetch("astray/loop") }
        #expect(loop.contains("more than 10 other places in turn"))
    }

    @Test func certificatesOfNobody() async throws {
        let bench = try Bench(["SSL_CERT_FILE": ""])
        try bench.hub.add("cert/a", files)
        let error = await failure { try await bench.fetch("cert/a") }
        #expect(error.contains("certificate") && !error.contains("times in a row"), "\(error)")
        #expect(bench.waits.isEmpty)
        #expect(bench.requests("cert/a").isEmpty)
    }

    @Test func serversBehindTheHubAreNotTakenForIt() async throws {
        let bench = try Bench()
        try bench.hub.add("behind/a", files, behavior: ["second": 403])
        let error = await failure { try await bench.fetch("behind/a") }
        #expect(
            error == "behind/a: large.bin: localhost:\(bench.hub.ports[1]) answered with status 403"
        )
    }

    @Test func listingsThatDoNotEnd() async throws {
        let bench = try Bench()
        let many = (0..<7).map { ("\($0).txt", Data("\($0)".utf8)) }
        try bench.hub.add(
            "loop/a", Dictionary(uniqueKeysWithValues: many), behavior: ["loop": true])
        #expect(
            await failure { try await bench.fetch("loop/a") }.contains("listing do not end"))
        let more = (0..<200).map { ("\($0).txt", Data("\($0)".utf8)) }
        try bench.hub.add(
            "loop/b", Dictionary(uniqueKeysWithValues: more), dataset: true,
            behavior: ["loop": true])
        #expect(
            await failure { try await bench.fetch("loop/b", from: .modelScope, dataset: true) }
                .contains("listing repeat"))
    }

    @Test func passwordsInAddressesAreNotShown() async throws {
        let hub = try Bench.hub.get()
        let bench = try Bench([
            "HF_ENDPOINT": "https://user:secret@localhost:\(hub.ports[0])"
        ])
        try hub.add("password/a", files, behavior: ["gated": true])
        let error = await failure { try await bench.fetch("password/a") }
        #expect(error.contains("https://localhost") && !error.contains("secret"), "\(error)")
    }

    @Test func theFirstErrorEndsTheOthers() async throws {
        let bench = try Bench()
        var many = Dictionary(
            uniqueKeysWithValues: (0..<60).map { ("b\($0).txt", Data("\($0)".utf8)) })
        many["a.txt"] = Data("a".utf8)
        try bench.hub.add("first/a", many)
        let client = HubClient(bench.settings)
        let snapshot = try await client.snapshot(of: Repository("first/a"), on: .huggingFace)
        try FileManager.default.removeItem(atPath: bench.hub.path(of: "first/a") + "/a.txt")
        try bench.hub.tell("first/a", ["slow": 5])
        let before = bench.hub.requests.count
        let error = await failure {
            try await client.download(
                snapshot.files, of: snapshot, to: .folder(bench.home.file("out")))
        }
        #expect(error == "first/a: a.txt: Hugging Face answered with status 404")
        #expect(bench.requests("first/a", after: before).count < 20)
    }

    @Test func aFolderThatIsAFile() async throws {
        let bench = try Bench()
        try bench.hub.add("notdir/a", files)
        try Data().write(to: URL(fileURLWithPath: bench.home.file("plain")))
        let error = await failure {
            try await bench.fetch("notdir/a", to: .folder(bench.home.file("plain/sub")))
        }
        #expect(error.contains("plain/sub") && error.contains("not a directory"), "\(error)")
    }

    @Test func namesThatLeaveTheFolder() async throws {
        for name in ["../evil.txt", "/etc/evil", "a/../../evil", "a\\..\\evil", "a//b"] {
            let bench = try Bench()
            try bench.hub.add("names/a", files, behavior: ["names": [name]])
            let error = await failure { try await bench.fetch("names/a") }
            #expect(error.contains("lists a file named '\(name)'"), "\(error)")
            #expect(bench.leftovers.isEmpty)
        }
    }

    @Test func aDiskThatIsTooSmall() async throws {
        let bench = try Bench()
        let client = HubClient(bench.settings)
        let snapshot = Snapshot(
            hub: .huggingFace, repository: try Repository("a/b"), revision: "main", commit: nil,
            files: [RemoteFile(path: "x.bin", size: 1 << 60)])
        let error = await failure {
            try await client.download(
                snapshot.files, of: snapshot, to: .folder(bench.home.file("deep/er")))
        }
        #expect(error.contains("needs \(1 << 60) bytes more on the disk of \(bench.home.path)"))
        #expect(bench.leftovers.isEmpty)
    }

    @Test func theNetworkWhereItIsForbidden() async throws {
        for name in ["HF_HUB_OFFLINE", "DIFFSYNTH_SKIP_DOWNLOAD"] {
            let bench = try Bench([name: "true"])
            let error = await failure { try await bench.fetch("off/line") }
            #expect(error == "off/line: not on this machine, and \(name) forbids fetching it")
            #expect(bench.requests("off/line").isEmpty)
        }
    }

    @Test func aFileThatAnotherProcessIsFetching() async throws {
        let bench = try Bench()
        try bench.hub.add("busy/file", files)
        try FileManager.default.createDirectory(
            atPath: bench.home.file("out"), withIntermediateDirectories: true)
        let large = try #require(
            try await HubClient(bench.settings).snapshot(
                of: Repository("busy/file"), on: .huggingFace
            ).files.first { $0.path == "large.bin" })
        let mark = large.checksum?.value.prefix(16) ?? ""
        let other = try PartialFile(
            path: bench.home.file("out/.large.bin.\(mark).part"), size: 30_000, partSize: 20_000,
            isChecked: true)
        let error = await failure { try await bench.fetch("busy/file") }
        #expect(error.contains("another process is fetching this file"))
        _ = other
    }

    @Test func settingsThatMakeNoSense() {
        #expect(throws: HubError.self) {
            try HubSettings(environment: ["DIFFSYNTH_DOWNLOAD_SOURCE": "github"])
        }
        #expect(throws: HubError.self) {
            try HubSettings(environment: ["HF_ENDPOINT": "ftp://hub.example"])
        }
    }
}
