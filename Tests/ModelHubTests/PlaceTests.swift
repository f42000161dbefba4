import Foundation
@testable import ModelHub
import TestSupport
import Testing

@Suite("Files lie where other programs look for them", .serialized)
struct PlaceTests {
    private let files = ["config.json": Data("{}".utf8), "a/large.bin": noise(30_000)]

    /// As `snapshot_download` of huggingface_hub leaves them; `Scripts/check_hub_cache.py` compares both.
    @Test func inTheCacheOfHuggingfaceHub() async throws {
        let bench = try Bench()
        try bench.hub.add("cache/a", files)
        let folder = try await bench.fetch("cache/a", to: .cache(bench.settings.cache))
        let root = bench.home.file("hf/hub/models--cache--a")
        let commit = try String(contentsOfFile: root + "/refs/main", encoding: .utf8)
        #expect(folder == root + "/snapshots/" + commit)
        #expect(try bench.contents(folder + "/a/large.bin") == files["a/large.bin"])
        let link = try FileManager.default.destinationOfSymbolicLink(
            atPath: folder + "/a/large.bin")
        let sum = Checksum.of(files["a/large.bin"] ?? Data(), .sha256).value
        #expect(link == "../../../blobs/" + sum)
        let small = try FileManager.default.destinationOfSymbolicLink(
            atPath: folder + "/config.json")
        #expect(small == "../../blobs/" + Checksum.of(Array("{}".utf8), .gitBlob).value)
        #expect(
            bench.settings.folders(of: try Repository("cache/a")).contains(folder))
    }

    @Test func blobsThatAreThereAreLinked() async throws {
        let bench = try Bench()
        try bench.hub.add("cache/b", files)
        let folder = try await bench.fetch("cache/b", to: .cache(bench.settings.cache))
        try FileManager.default.removeItem(atPath: folder)
        let before = bench.hub.requests.count
        try await bench.fetch("cache/b", to: .cache(bench.settings.cache))
        #expect(bench.requests("cache/b", after: before).allSatisfy { $0.path.contains("/api/") })
        #expect(try bench.contents(folder + "/a/large.bin") == files["a/large.bin"])
    }

    @Test func byTheHubThatTheyComeFrom() throws {
        let id = try Repository("owner/name")
        let data = try Repository("owner/name", kind: .dataset)
        let plain = try HubSettings(environment: ["HOME": "/h"])
        #expect(plain.hub == .modelScope)
        #expect(plain.destination(of: id, on: .modelScope) == .folder("models/owner/name"))
        #expect(
            plain.destination(of: id, on: .huggingFace) == .cache("/h/.cache/huggingface/hub"))
        #expect(plain.destination(of: data, on: .modelScope) == .folder("data/owner/name"))
        let named = try HubSettings(environment: [
            "DIFFSYNTH_MODEL_BASE_PATH": "/m", "DIFFSYNTH_DOWNLOAD_SOURCE": "HuggingFace",
        ])
        #expect(named.hub == .huggingFace)
        #expect(named.destination(of: id, on: .huggingFace) == .folder("/m/owner/name"))
    }

    @Test func environmentsAreReadAsThePackagesReadThem() throws {
        let settings = try HubSettings(environment: [
            "HOME": "/h", "XDG_CACHE_HOME": "/x", "MODELSCOPE_DOMAIN": "www.modelscope.ai",
            "HF_ENDPOINT": "https://hf-mirror.example/",
        ])
        #expect(settings.endpoints[.modelScope] == "https://www.modelscope.ai")
        #expect(settings.endpoints[.huggingFace] == "https://hf-mirror.example")
        #expect(settings.cache == "/x/huggingface/hub")
        let folders = settings.folders(of: try Repository("Qwen/Qwen3.1"))
        #expect(folders.contains("/h/.cache/modelscope/hub/models/Qwen/Qwen3___1"))
        #expect(folders.contains("/h/.cache/modelscope/models/Qwen--Qwen3.1/snapshots/master"))
    }

    @Test func throughLinksToFolders() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.file("real/a"), withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: folder.file("real/a/x.bin")))
        try Data().write(to: URL(fileURLWithPath: folder.file("real/a/.x.part")))
        for (link, target) in [("link", "real"), ("real/again", "..")] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.file(link), withDestinationPath: target)
        }
        #expect(
            LocalFiles.matching("a/*", in: folder.file("link"))
                == [folder.file("link/a/x.bin")])
    }

    @Test func shardsThatLackAreNamed() {
        let one = "a/model-00001-of-00003.safetensors"
        #expect(
            LocalFiles.missingShards(of: [one, "a/model-00003-of-00003.safetensors"])
                == ["a/model-00002-of-00003.safetensors"])
        #expect(LocalFiles.missingShards(of: ["a/model.safetensors", "b.txt"]).isEmpty)
    }
}

@Suite("Patterns of files")
struct FilePatternTests {
    @Test(arguments: [
        ("*.safetensors", "a/b.safetensors", true), ("a/*", "a/b/c", true),
        ("a/", "a/b/c", true), ("", "anything/at/all", true), ("a?c", "abc", true),
        ("a?c", "abbc", false), ("[ab].txt", "b.txt", true), ("[!ab].txt", "b.txt", false),
        ("[a-c]*", "bx", true), ("a[", "a[", true), ("transformer/*.safetensors", "vae/x", false),
        ("model-*-of-*.safetensors", "model-1-of-2.safetensors", true), ("*a*b*", "xxaxxb", true),
        ("*a*b*", "xxbxxa", false), ("[]]", "]", true),
    ])
    func matchAsPythonsFnmatch(_ pattern: String, _ path: String, _ matches: Bool) {
        #expect(FilePattern(pattern).matches(path) == matches)
    }

    @Test func stopAtSlashesAsPythonsGlob() {
        let pattern = FilePattern("a/*.txt", crossesFolders: false)
        #expect(pattern.matches("a/b.txt") && !pattern.matches("a/b/c.txt"))
        #expect(FilePattern("a/", crossesFolders: false).matches("a/b/c"))
    }
}
