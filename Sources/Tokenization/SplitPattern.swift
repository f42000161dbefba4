/// A pre-tokenizer pattern that the scanner knows.
///
/// The published patterns are made of the same alternatives with four differences. Each pattern
/// is recognized by its exact text, because a similar one may split differently.
package struct SplitPattern: Hashable, Sendable {
    /// How letters are gathered into words.
    enum Words: CaseIterable, Sendable {
        /// Any run of letters.
        case letters
        /// Runs that break before a capital after a small letter; marks count as letters.
        case caseAware

        var expression: String {
            switch self {
            case .letters: #"[^\r\n\p{L}\p{N}]?\p{L}+"#
            case .caseAware:
                #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"#
                    + #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"#
                    + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"#
                    + #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
            }
        }
    }

    /// How digits are gathered.
    enum Numbers: String, CaseIterable, Sendable {
        case single = #"\p{N}"#
        case upToThree = #"\p{N}{1,3}"#

        /// The most digits in one piece.
        var limit: Int { self == .single ? 1 : 3 }
    }

    /// Whether `'s`, `'re` and the like are pieces of their own.
    var splitsContractions: Bool
    var words: Words
    var numbers: Numbers
    /// Whether slashes may follow the line breaks after punctuation.
    var punctuationTakesSlashes: Bool

    /// Qwen 2 and Qwen 3.
    package static let qwen = SplitPattern(
        splitsContractions: true, words: .letters, numbers: .single,
        punctuationTakesSlashes: false)
    /// Mistral's vocabulary of 131,072 tokens with its own pattern.
    static let tekken = SplitPattern(
        splitsContractions: false, words: .caseAware, numbers: .single,
        punctuationTakesSlashes: true)
    /// The older pattern that several published Mistral conversions carry.
    static let legacyMistral = SplitPattern(
        splitsContractions: true, words: .letters, numbers: .upToThree,
        punctuationTakesSlashes: false)

    /// The regular expression, as tokenizer files write it.
    package var expression: String {
        let contractions = splitsContractions ? "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" : ""
        let breaks = punctuationTakesSlashes ? #"[\r\n/]*"# : #"[\r\n]*"#
        return contractions + words.expression + "|" + numbers.rawValue
            + #"| ?[^\s\p{L}\p{N}]+"# + breaks + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
}

extension SplitPattern {
    /// The pattern with this exact text; nil when there is none.
    init?(expression: String) {
        guard let known = Self.all.first(where: { $0.expression == expression }) else { return nil }
        self = known
    }

    static var all: [SplitPattern] {
        [true, false].flatMap { contractions in
            Words.allCases.flatMap { words in
                Numbers.allCases.flatMap { numbers in
                    [false, true].map { slashes in
                        SplitPattern(
                            splitsContractions: contractions, words: words, numbers: numbers,
                            punctuationTakesSlashes: slashes)
                    }
                }
            }
        }
    }
}
