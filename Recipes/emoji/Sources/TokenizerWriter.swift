import FileSupport
import Foundation
import Tokenization

/// Writes a vocabulary in the form of `tokenizer.json`, as Qwen 3 has it.
struct TokenizerWriter {
    private let merges: [(left: [UInt8], right: [UInt8])]

    init(_ training: BytePairTraining) { merges = training.merges }

    func write(to folder: String) throws {
        let words = (0...255).map { [UInt8($0)] } + merges.map { $0.left + $0.right }
        var vocabulary: [String: Int] = [:]
        for word in words {
            let spelling = ByteAlphabet.spelling(of: word)
            if vocabulary[spelling] == nil { vocabulary[spelling] = vocabulary.count }
        }
        let count = vocabulary.count
        let special = PromptFormat.qwen3.controlTokens.enumerated().map { number, content in
            [
                "id": count + number, "content": content, "special": content.hasPrefix("<|"),
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            ] as [String: any Sendable]
        }
        let file: [String: Any] = [
            "version": "1.0", "added_tokens": special, "normalizer": ["type": "NFC"],
            "truncation": NSNull(), "padding": NSNull(),
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    [
                        "type": "Split", "pattern": ["Regex": SplitPattern.qwen.expression],
                        "behavior": "Isolated",
                        "invert": false,
                    ] as [String: Any],
                    Self.byteLevel,
                ] as [Any],
            ] as [String: Any],
            "post_processor": Self.byteLevel, "decoder": Self.byteLevel,
            "model": [
                "type": "BPE", "dropout": NSNull(), "unk_token": NSNull(),
                "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
                "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary,
                "merges": merges.map {
                    [ByteAlphabet.spelling(of: $0.left), ByteAlphabet.spelling(of: $0.right)]
                },
            ] as [String: Any],
        ]
        let settings: [String: Any] = [
            "tokenizer_class": "Qwen2Tokenizer", "add_bos_token": false, "add_prefix_space": false,
            "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "padding_side": "right",
        ]
        try Folder.make(folder)
        for (name, object) in [("tokenizer.json", file), ("tokenizer_config.json", settings)] {
            let data = try JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
            try AtomicFile.write("\(folder)/\(name)", bytes: Array(data))
        }
        print("\(folder): \(count) tokens and \(special.count) control tokens")
    }

    private static let byteLevel: [String: any Sendable] = [
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    ]
}
