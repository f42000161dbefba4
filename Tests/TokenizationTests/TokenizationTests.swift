import Foundation
import TestSupport
import Testing
import Tokenization

@Suite("Tokens equal the reference's")
struct TokenGoldenTests {
    private struct Golden: Decodable {
        struct Item: Decodable {
            var raw: [Int]
            var raw_no_special: [Int]?
            var prompt: [Int]
        }

        var items: [Item]
        var pad_id: Int
        var padded_length: Int
        var padding_side: [String]
        var diffusers_prompt_first_strings: [[Int]]?
    }

    static func strings() throws -> [String] {
        let file = URL(fileURLWithPath: Reference.path("inputs/strings.json"))
        return try JSONDecoder().decode([String].self, from: Data(contentsOf: file))
    }

    private func golden(_ name: String) throws -> Golden {
        let file = URL(fileURLWithPath: Reference.path("goldens/tokenizer/\(name).json"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    }

    @Test(arguments: [
        ("klein", "models/tiny-klein/tokenizer", PromptFormat.qwen3),
        ("dev", "models/tiny-dev/tokenizer", .mistral3(systemMessage: .diffsynth)),
        (
            "dev_legacy_regex", "tokenizers/mistral-legacy-regex",
            .mistral3(systemMessage: .diffsynth)
        ),
    ])
    func forEveryString(name: String, folder: String, format: PromptFormat) throws {
        let golden = try golden(name)
        let strings = try Self.strings()
        try #require(golden.items.count == strings.count && !strings.isEmpty)
        let tokenizer = try Tokenizer(folder: Reference.path(folder))
        let prompts = try PromptTokenizer(tokenizer, format: format)
        for (text, item) in zip(strings, golden.items) {
            let start = item.raw_no_special == nil ? [] : item.raw.prefix(1)
            #expect(start + tokenizer.encode(text) == item.raw, "\(text.debugDescription)")
            let prompt = prompts(text, length: golden.padded_length)
            let padding = golden.padded_length - item.prompt.count
            let filler = Array(repeating: golden.pad_id, count: padding)
            let isLeft = golden.padding_side == ["left"]
            #expect(prompt.ids == (isLeft ? filler + item.prompt : item.prompt + filler))
            #expect(prompt.mask.count { $0 } == prompt.tokenCount)
            #expect(prompt.mask.first == (padding == 0 || !isLeft))
        }
        print("golden tokenizer/\(name): \(strings.count) strings, raw and as prompts")
    }

    @Test func withTheMakersSystemMessage() throws {
        let golden = try golden("dev")
        let prompts = try PromptTokenizer(
            Tokenizer(folder: Reference.path("models/tiny-dev/tokenizer")),
            format: .mistral3(systemMessage: .bfl))
        let expected = try #require(golden.diffusers_prompt_first_strings)
        for (text, ids) in zip(try Self.strings(), expected) {
            let prompt = prompts(text, length: 512)
            #expect(prompt.ids.suffix(prompt.tokenCount) == ids[...])
        }
    }

    /// The published vocabulary is not part of this repository: `FLUX2_TEKKEN` names a folder with
    /// its `tokenizer.json`, which `Scripts/tekken_tokenizer.py` writes.
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["FLUX2_TEKKEN"] != nil, "needs FLUX2_TEKKEN"))
    func withTheVocabularyOfRealSize() throws {
        struct Tekken: Decodable {
            struct Item: Decodable {
                var plain: [Int]
                var with_special: [Int]?
            }

            var items: [Item]
        }
        let folder = ProcessInfo.processInfo.environment["FLUX2_TEKKEN"] ?? ""
        let file = URL(
            fileURLWithPath: Reference.path("goldens/tokenizer/tekken_240911.json"))
        let golden = try JSONDecoder().decode(Tekken.self, from: Data(contentsOf: file))
        let tokenizer = try Tokenizer(folder: folder)
        for (text, item) in zip(try Self.strings(), golden.items) {
            #expect(
                tokenizer.encode(text) == item.with_special ?? item.plain,
                "\(text.debugDescription)")
        }
    }
}

@Suite("Tokenizers")
struct TokenizerTests {
    private static let qwen = Result {
        try Tokenizer(folder: Reference.path("models/tiny-klein/tokenizer"))
    }

    @Test func decodeWhatTheyEncoded() throws {
        let tokenizer = try Self.qwen.get()
        for text in try TokenGoldenTests.strings() {
            let composed = text.precomposedStringWithCanonicalMapping
            #expect(
                tokenizer.decode(tokenizer.encode(text)).unicodeScalars
                    .elementsEqual(composed.unicodeScalars))
        }
        let ids = tokenizer.encode("a<|im_end|>b")
        #expect(tokenizer.decode(ids, skipsSpecial: true) == "ab")
    }

    @Test func encodeTenThousandWordsASecond() throws {
        let tokenizer = try Self.qwen.get()
        let words = 10_000
        let text = (0..<words).map { "word\($0 % 97) and naïve café, \"quoted\"" }
            .joined(separator: " ")
        let seconds = processorSeconds { _ = tokenizer.encode(text) }
        // Each piece of the text above is five words; even unoptimized builds must do.
        #expect(seconds < 5, "\(seconds) s for \(words * 5) words")
    }

    @Test func areNotQuadraticInLongPieces() throws {
        let tokenizer = try Self.qwen.get()
        func seconds(_ count: Int) -> Double {
            let text = String(repeating: "ab", count: count)
            return (0..<3).map { _ in processorSeconds { _ = tokenizer.encode(text) } }.min() ?? 0
        }
        _ = seconds(1000)
        let (short, long) = (seconds(4000), seconds(64000))
        #expect(long < 64 * short + 0.1, "\(short) s, sixteen times as long: \(long) s")
    }

    @Test func readTheThreeFilesOfOlderModelsAlike() throws {
        let folder = try TemporaryFolder()
        let whole = Reference.path("models/tiny-klein/tokenizer/tokenizer.json")
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: whole)))
                as? [String: Any])
        let model = try #require(json["model"] as? [String: Any])
        let merges = try #require(model["merges"] as? [[String]])
        let added = try #require(json["added_tokens"] as? [[String: Any]])
        func write(_ name: String, _ value: Any) throws {
            try JSONSerialization.data(withJSONObject: value)
                .write(to: URL(fileURLWithPath: folder.file(name)))
        }
        try write("vocab.json", try #require(model["vocab"]))
        try write(
            "added_tokens.json",
            Dictionary(
                uniqueKeysWithValues: added.map { ($0["content"] as! String, $0["id"] as! Int) }))
        let lines = ["#version: 0.2"] + merges.map { $0.joined(separator: " ") }
        try lines.joined(separator: "\n").write(
            toFile: folder.file("merges.txt"), atomically: true, encoding: .utf8)
        let (one, other) = try (Self.qwen.get(), Tokenizer(folder: folder.path))
        #expect(one.vocabularySize == other.vocabularySize)
        for text in try TokenGoldenTests.strings() {
            #expect(one.encode(text) == other.encode(text))
        }
    }

    @Suite("of another kind or damaged are refused in one line")
    struct Refusals {
        let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        /// What is said about a tokenizer whose file was changed.
        private func complaint(
            _ change: (inout [String: Any]) throws -> Void
        ) throws -> String {
            let whole = Reference.path("models/tiny-klein/tokenizer/tokenizer.json")
            var json = try #require(
                JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: whole)))
                    as? [String: Any])
            try change(&json)
            try JSONSerialization.data(withJSONObject: json)
                .write(to: URL(fileURLWithPath: folder.file("tokenizer.json")))
            return try complaint()
        }

        private func complaint() throws -> String {
            let error = try #require(throws: TokenizationError.self) {
                try Tokenizer(folder: folder.path)
            }
            #expect(!error.description.contains("\n"))
            return error.description
        }

        @Test func whenMissingOrNoJSON() throws {
            #expect(try complaint().contains("expected tokenizer.json"))
            try "{\"model\": ".write(
                toFile: folder.file("tokenizer.json"), atomically: true, encoding: .utf8)
            #expect(try complaint().contains("not valid JSON at byte"))
        }

        @Test func withAnotherPattern() throws {
            #expect(
                try complaint {
                    $0["pre_tokenizer"] = [
                        "type": "Sequence",
                        "pretokenizers": [
                            [
                                "type": "Split", "pattern": ["Regex": "\\w+"],
                                "behavior": "Isolated", "invert": false,
                            ],
                            ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                        ],
                    ]
                }.contains("no scanner for the pattern \\w+"))
        }

        @Test func withAnotherNormalizerOrModel() throws {
            #expect(
                try complaint { $0["normalizer"] = ["type": "Lowercase"] }
                    .contains("'normalizer': expected NFC or null"))
            #expect(
                try complaint { $0["model"] = ["type": "Unigram"] }
                    .contains("'model.type': expected 'BPE', found 'Unigram'"))
        }

        @Test func withAMergeOfUnknownTokens() throws {
            #expect(
                try complaint {
                    var model = try #require($0["model"] as? [String: Any])
                    model["merges"] = ["never seen"]
                    $0["model"] = model
                }.contains("merge 0 names 'never'"))
        }

        @Test func withTokensThatStripOrCollide() throws {
            #expect(
                try complaint {
                    $0["added_tokens"] = [["id": 1000, "content": "<x>", "lstrip": true]]
                }.contains("lstrip': expected false, found true"))
            #expect(
                try complaint {
                    $0["added_tokens"] = [
                        ["id": 1000, "content": "<x>"], ["id": 1000, "content": "<y>"],
                    ]
                }.contains("collides with '<x>'"))
        }

        @Test func withoutTheTokensOfThePrompt() throws {
            let mistral = try Tokenizer(folder: Reference.path("models/tiny-dev/tokenizer"))
            let error = try #require(throws: TokenizationError.self) {
                try PromptTokenizer(mistral, format: .qwen3)
            }
            #expect(error.description.contains("no special token '<|endoftext|>'"))
        }

        @Test func withAnUnknownPaddingSide() throws {
            let source = Reference.path("models/tiny-klein/tokenizer/tokenizer.json")
            try FileManager.default.copyItem(
                atPath: source, toPath: folder.file("tokenizer.json"))
            try #"{"padding_side": "top"}"#.write(
                toFile: folder.file("tokenizer_config.json"), atomically: true, encoding: .utf8)
            #expect(try complaint().contains("'padding_side': expected left or right, found 'top'"))
        }
    }
}
