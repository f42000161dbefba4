import Files
import Foundation

/// Writes a vocabulary in the form of `tokenizer.json`, as Qwen 3 has it.
struct TokenizerWriter {
    private let merges: [(left: [UInt8], right: [UInt8])]

    init(_ training: BytePairTraining) { merges = training.merges }

    /// Qwen's control tokens that prompts are put between.
    private static let added = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>",
    ]

    /// Qwen's own pattern.
    private static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
        + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#

    func write(to folder: String) throws {
        let words = (0...255).map { [UInt8($0)] } + merges.map { $0.left + $0.right }
        var vocabulary: [String: Int] = [:]
        for word in words {
            let spelling = Self.spelling(word)
            if vocabulary[spelling] == nil { vocabulary[spelling] = vocabulary.count }
        }
        let count = vocabulary.count
        let special = Self.added.enumerated().map { number, content in
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
                        "type": "Split", "pattern": ["Regex": Self.pattern], "behavior": "Isolated",
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
                "merges": merges.map { [Self.spelling($0.left), Self.spelling($0.right)] },
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

    /// Bytes in the printable alphabet of byte-level vocabularies.
    private static func spelling(_ bytes: [UInt8]) -> String {
        String(String.UnicodeScalarView(bytes.map { alphabet[Int($0)] }))
    }

    private static let alphabet: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            let isPrintable = 0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || byte >= 0xAE
            if isPrintable { return Unicode.Scalar(byte) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "\u{FFFD}"
        }
    }()
}
