/// A prompt as a text encoder takes it.
public struct TokenizedPrompt: Hashable, Sendable {
    /// Ids, padding included.
    public var ids: [Int]
    /// Whether each id stands for text rather than padding.
    public var mask: [Bool]
    /// Ids that stand for text.
    public var tokenCount: Int
    /// Whether the end of the prompt did not fit.
    public var wasTruncated: Bool
}

/// Turns prompts into ids of a fixed number.
public struct PromptTokenizer: Sendable {
    /// The vocabulary with its rules.
    public let tokenizer: Tokenizer
    /// The words that are put around a prompt.
    public let format: PromptFormat
    /// Where padding goes: before the text, or behind it.
    public let paddingSide: PaddingSide
    private let paddingID: Int

    /// - Parameter paddingSide: nil takes that of `tokenizer_config.json`, else the format's own.
    /// - Throws: `TokenizationError` when the vocabulary lacks a token that the format needs.
    public init(
        _ tokenizer: Tokenizer, format: PromptFormat, paddingSide: PaddingSide? = nil
    ) throws {
        for token in format.controlTokens where tokenizer.id(of: token) == nil {
            throw TokenizationError(
                .missingSpecialToken(token, format: format.name), file: tokenizer.folder)
        }
        self.tokenizer = tokenizer
        self.format = format
        self.paddingSide =
            paddingSide ?? tokenizer.settings.paddingSide ?? format.defaultPaddingSide
        paddingID = tokenizer.id(of: format.paddingToken) ?? 0
    }

    /// The ids of a prompt, cut or padded to a length; what is cut is the end.
    public func callAsFunction(_ prompt: String, length: Int) -> TokenizedPrompt {
        let all = tokenizer.encode(format.text(for: prompt))
        let kept = Array(all.prefix(length))
        let padding = Array(repeating: paddingID, count: length - kept.count)
        let real = kept.map { _ in true }
        let filled = padding.map { _ in false }
        return TokenizedPrompt(
            ids: paddingSide == .left ? padding + kept : kept + padding,
            mask: paddingSide == .left ? filled + real : real + filled,
            tokenCount: kept.count, wasTruncated: all.count > length)
    }
}
