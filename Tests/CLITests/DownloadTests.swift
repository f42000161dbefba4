import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Models come from hubs when they are not here", .serialized)
    struct Downloads {
        private let hub: LocalHub
        private let home: TemporaryFolder
        private let environment: [String: String]

        init() throws {
            hub = try LocalHub()
            home = try TemporaryFolder()
            environment = hub.environment(in: home.path).merging(["HF_HUB_OFFLINE": "0"]) { $1 }
        }

        private func run(
            _ arguments: [String], _ more: [String: String] = [:]
        ) throws -> Program.Outcome {
            try Program.run(
                arguments, environment: environment.merging(more) { $1 }, in: home.path)
        }

        private func addKlein() throws {
            try hub.add(
                "black-forest-labs/FLUX.2-klein-4B", folder: Reference.ownModel("tiny-klein"))
        }

        private func generate(_ more: [String], output: String = "a.png") -> [String] {
            [
                "generate", "a red fox", "--height", "64", "--width", "64", "--steps", "1",
                "--seed", "7", "--cfg-scale", "1", "--output", home.file(output),
            ] + more
        }

        @Test func aNamedModelIsFetchedAndThenUsed() throws {
            try addKlein()
            let first = try run(generate(["--model", "klein-4b"]))
            #expect(first.status == 0, "\(first.errors)")
            #expect(first.errors.contains("not on this machine; fetching from ModelScope"))
            let folder = home.file("models/black-forest-labs/FLUX.2-klein-4B")
            #expect(FileManager.default.fileExists(atPath: folder + "/scheduler"))
            let before = hub.requests.count
            let second = try run(generate(["--model", "klein-4b"], output: "b.png"))
            #expect(second.status == 0, "\(second.errors)")
            #expect(hub.requests.count == before)
            let list = try run(["models"])
            #expect(list.output.contains("on disk     \(folder)\n"))
            let bytes = try Data(contentsOf: URL(fileURLWithPath: home.file("a.png")))
            #expect(try Data(contentsOf: URL(fileURLWithPath: home.file("b.png"))) == bytes)
        }

        @Test func aDownloadThatStoppedIsCompletedByTheNextUse() throws {
            try addKlein()
            #expect(try run(["download", "klein-4b", "--quiet"]).status == 0)
            let folder = home.file("models/black-forest-labs/FLUX.2-klein-4B")
            let shard = folder + "/text_encoder/model-00002-of-00002.safetensors"
            try FileManager.default.removeItem(atPath: shard)
            let refused = try run(generate(["--model", "klein-4b", "--offline"]))
            #expect(refused.status == 1)
            #expect(refused.errors.contains("text_encoder: not on this machine, and --offline"))
            let again = try run(generate(["--model", "klein-4b"]))
            #expect(again.status == 0, "\(again.errors)")
            #expect(again.errors.contains("klein-4b: text_encoder not on this machine"))
            #expect(FileManager.default.fileExists(atPath: shard))
        }

        @Test func aBaseModelBorrowsFromTheDistilledOne() throws {
            try addKlein()
            try hub.add(
                "black-forest-labs/FLUX.2-klein-base-4B",
                folder: Reference.ownModel("tiny-klein-f32"))
            let outcome = try run([
                "download", "klein-base-4b", "--hub", "huggingface", "--local-dir",
                home.file("base"),
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output == home.file("base") + "\n")
            let names = try FileManager.default.contentsOfDirectory(atPath: home.file("base"))
            #expect(Set(names).isSuperset(of: ["transformer", "text_encoder", "vae", "tokenizer"]))
            let image = try run(generate(["--model", home.file("base"), "--dtype", "float32"]))
            #expect(image.status == 0, "\(image.errors)")
        }

        @Test func partsComeFromRepositoriesByPattern() throws {
            try addKlein()
            try hub.add("someone/tuned", folder: Reference.ownModel("tiny-klein-f32"))
            let outcome = try run(
                generate([
                    "--model", Reference.ownModel("tiny-klein"), "--hub", "huggingface",
                    "--transformer", "someone/tuned:transformer/*.safetensors",
                    "--text-encoder",
                    "black-forest-labs/FLUX.2-klein-4B:text_encoder/*.safetensors",
                    "--tokenizer", "black-forest-labs/FLUX.2-klein-4B:tokenizer/",
                ]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            let before = hub.requests.count
            let again = try run(
                generate(
                    [
                        "--model", Reference.ownModel("tiny-klein"), "--offline",
                        "--transformer", "someone/tuned:transformer/*.safetensors",
                    ], output: "b.png"))
            #expect(again.status == 0, "\(again.errors)")
            #expect(hub.requests.count == before)
            let nothing = try run(
                generate(
                    [
                        "--model", Reference.ownModel("tiny-klein"), "--vae", "someone/tuned:v*",
                    ], output: "c.png"))
            #expect(nothing.status == 1)
            #expect(nothing.errors.contains("someone/tuned: no file fits 'v*'; there are "))
        }

        @Test func shardsOfLayersThatAreNotLookedAtStayWhereTheyAre() throws {
            let id = "black-forest-labs/FLUX.2-klein-4B"
            try addKlein()
            try addTopShard(to: hub.path(of: id) + "/text_encoder")
            let outcome = try run(generate(["--model", "klein-4b"]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            let folder = home.file("models/\(id)/text_encoder")
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.contains("model-00002-of-00003.safetensors"))
            #expect(!names.contains("model-00003-of-00003.safetensors"))
            #expect(try run(["inspect", home.file("models/\(id)")]).status == 0)
            // A whole repository is a whole repository.
            let whole = try run(["download", id, "--local-dir", home.file("whole")])
            #expect(whole.status == 0, "\(whole.errors)")
            #expect(
                FileManager.default.fileExists(
                    atPath: home.file("whole/text_encoder/model-00003-of-00003.safetensors")))
        }

        /// Renames two shards to those of three, and adds one with a layer above the last.
        private func addTopShard(to folder: String) throws {
            for number in 1...2 {
                try FileManager.default.moveItem(
                    atPath: folder + "/model-0000\(number)-of-00002.safetensors",
                    toPath: folder + "/model-0000\(number)-of-00003.safetensors")
            }
            let header =
                #"{"model.layers.35.x.weight":{"dtype":"F32","shape":[2000],"data_offsets":[0,8000]}}"#
            var bytes = Data()
            withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) {
                bytes.append(contentsOf: $0)
            }
            bytes += Data(header.utf8) + Data(count: 8000)
            let name = "model-00003-of-00003.safetensors"
            try bytes.write(to: URL(fileURLWithPath: folder + "/" + name))
            let path = folder + "/model.safetensors.index.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
                .replacingOccurrences(of: "-of-00002", with: "-of-00003")
                .replacingOccurrences(
                    of: #""weight_map": {"#,
                    with: #""weight_map": {"model.layers.35.x.weight": "\#(name)","#)
            #expect(text.contains(name))
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }

        @Test func dataSetsAndFilters() throws {
            let files = ["flux2/a.png": "a", "flux2/b.txt": "b", "other/c.png": "c"]
                .mapValues { Data($0.utf8) }
            try hub.add("DiffSynth-Studio/example_image_dataset", files, dataset: true)
            let outcome = try run([
                "download", "--dataset", "DiffSynth-Studio/example_image_dataset", "--include",
                "flux2/*", "--exclude", "*.txt", "--local_dir", home.file("data/example"),
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let names = try FileManager.default.contentsOfDirectory(
                atPath: home.file("data/example/flux2"))
            #expect(names == ["a.png"])
            let here = try FileManager.default.contentsOfDirectory(
                atPath: home.file("data/example"))
            #expect(here.filter { !$0.hasPrefix(".") } == ["flux2"])
            let usual = try run([
                "download", "--dataset", "DiffSynth-Studio/example_image_dataset",
            ])
            #expect(usual.output == "data/DiffSynth-Studio/example_image_dataset\n")
            #expect(
                FileManager.default.fileExists(
                    atPath: home.file(
                        "data/DiffSynth-Studio/example_image_dataset/other/c.png")))
        }

        /// Steps and guidance of a base model are not those of the model that it borrows from.
        @Test func borrowedPartsBringNoSettings() throws {
            try addKlein()
            let index = #"{"_class_name": "Flux2KleinPipeline", "is_distilled": true}"#
            try index.write(
                toFile: hub.path(of: "black-forest-labs/FLUX.2-klein-4B") + "/model_index.json",
                atomically: true, encoding: .utf8)
            try hub.add(
                "black-forest-labs/FLUX.2-klein-base-4B",
                folder: Reference.ownModel("tiny-klein-f32"))
            let done = try run(["download", "klein-base-4b", "--local-dir", home.file("base")])
            #expect(done.status == 0, "\(done.errors)")
            #expect(
                !FileManager.default.fileExists(atPath: home.file("base/model_index.json")))
            #expect(done.errors.components(separatedBy: "fetching").count == 2)
        }

        /// When a repository changes between two downloads, the cache still has a whole model.
        @Test func aRepositoryThatChangesMeanwhile() throws {
            let id = "black-forest-labs/FLUX.2-klein-4B"
            let named = [
                "DIFFSYNTH_MODEL_BASE_PATH": "", "DIFFSYNTH_DOWNLOAD_SOURCE": "huggingface",
            ]
            try addKlein()
            let first = try run(["download", id + ":vae/", "--quiet"], named)
            #expect(first.status == 0, "\(first.errors)")
            try hub.tell(id, ["commit": String(repeating: "b", count: 40)])
            let whole = try run(generate(["--model", "klein-4b"]), named)
            #expect(whole.status == 0, "\(whole.errors)")
            try hub.tell(id, ["commit": String(repeating: "d", count: 40)])
            let part = try run(["download", id + ":vae/", "--quiet"], named)
            #expect(part.status == 0, "\(part.errors)")
            let again = try run(
                generate(["--model", "klein-4b", "--offline"], output: "b.png"), named)
            #expect(again.status == 0, "\(again.errors)")
        }

        @Test func offlineWhatIsHereIsFound() throws {
            try addKlein()
            for name in ["klein-4b", "black-forest-labs/FLUX.2-klein-4B"] {
                let absent = try run(["download", name, "--offline"])
                #expect(absent.status == 1)
                #expect(absent.errors.contains("not on this machine, and --offline forbids"))
                #expect(absent.errors.contains("looked for"))
            }
            #expect(try run(["download", "klein-4b", "--quiet"]).status == 0)
            for name in ["klein-4b", "black-forest-labs/FLUX.2-klein-4B"] {
                let here = try run(["download", name, "--offline"])
                #expect(here.status == 0, "\(here.errors)")
                #expect(
                    here.output == home.file("models/black-forest-labs/FLUX.2-klein-4B") + "\n")
            }
            let missing = try run(["download", "klein-4b", "--revision", "v9"])
            #expect(missing.status == 1)
            #expect(missing.errors.contains("a revision 'v9'"))
        }

        /// A download mends what is missing, whoever has removed it.
        @Test func aFileThatGotLostComesBack() throws {
            try addKlein()
            #expect(try run(["download", "klein-4b", "--quiet"]).status == 0)
            let config = home.file("models/black-forest-labs/FLUX.2-klein-4B/vae/config.json")
            try FileManager.default.removeItem(atPath: config)
            #expect(try run(["download", "klein-4b", "--quiet"]).status == 0)
            #expect(FileManager.default.fileExists(atPath: config))
        }

        @Test func whatIsRemovedIsGone() throws {
            try addKlein()
            for hub in ["modelscope", "huggingface"] {
                let named = hub == "huggingface" ? ["DIFFSYNTH_MODEL_BASE_PATH": ""] : [:]
                let done = try run(["download", "klein-4b", "--quiet", "--hub", hub], named)
                #expect(done.status == 0, "\(done.errors)")
                let kept = try run(["models", "remove", "klein-4b"], named)
                #expect(kept.status != 0 && kept.errors.contains("--force"))
                let gone = try run(["models", "remove", "klein-4b", "--force"], named)
                #expect(gone.status == 0, "\(gone.errors)")
                #expect(gone.output.hasSuffix("removed\n"))
                let again = try run(["models", "remove", "klein-4b", "--force"], named)
                #expect(again.errors.contains("klein-4b: not on this machine; looked for"))
            }
        }

        @Test func aStoppedDownloadLeavesNothingUnderItsName() throws {
            let content = Data(count: 3_000_000)
            try hub.add("slow/model", ["large.bin": content], behavior: ["drop": 100])
            let running = try Program.start(
                ["download", "slow/model", "--local-dir", home.file("slow")],
                environment: environment, in: home.path)
            while !running.errors.contains("trying again") {
                try #require(running.isRunning, "\(running.errors)")
                Thread.sleep(forTimeInterval: 0.02)
            }
            running.interrupt()
            let outcome = try running.finish()
            #expect(outcome.status == 130)
            #expect(!FileManager.default.fileExists(atPath: home.file("slow/large.bin")))
            try hub.tell("slow/model", [:])
            let again = try run(["download", "slow/model", "--local-dir", home.file("slow")])
            #expect(again.status == 0, "\(again.errors)")
            #expect(again.errors.contains("of them from an earlier attempt"))
            #expect(
                try Data(contentsOf: URL(fileURLWithPath: home.file("slow/large.bin"))) == content)
        }

        @Test func namesThatNobodyHas() throws {
            let unknown = try run(["download", "no-such-model"])
            #expect(unknown.status != 0)
            #expect(unknown.errors.contains("'no-such-model' is neither a published model"))
            let absent = try run(generate(["--model", "nobody/nothing"]))
            #expect(absent.status == 1)
            #expect(absent.errors.contains("nobody/nothing: ModelScope has no such repository"))
        }
    }
}
