/// A tokenizer file that cannot be used, or one that does not fit what is asked of it.
public struct TokenizationError: Error, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Hashable, Sendable {
        /// None of the named files is there.
        case missing(expected: String)
        /// The file is there but cannot be read.
        case unreadable(cause: String)
        /// The text is not JSON.
        case malformedJSON(String)
        /// A key has a value this module cannot honor.
        case unexpected(key: String, expected: String, found: String)
        /// The pre-tokenizer pattern is not one of those the scanner knows.
        case unknownPattern(String)
        /// Two tokens share an id, or one token has two.
        case collision(token: String, id: Int, with: String)
        /// A token id outside the range that a vocabulary may use.
        case idOutOfRange(token: String, id: Int, limit: Int)
        /// A merge rule names a token that the vocabulary lacks; `index` counts from 0.
        case unknownTokenInMerge(index: Int, token: String)
        /// The vocabulary has no token for a single byte, so some text could not be encoded.
        case missingByte(UInt8)
        /// A token that a prompt format needs is not among the added tokens.
        case missingSpecialToken(String, format: String)
    }

    /// What is wrong.
    public var reason: Reason
    /// The file or folder concerned, as it was named by the caller.
    public var file: String

    /// Creates an error about a file or folder.
    public init(_ reason: Reason, file: String) {
        self.reason = reason
        self.file = file
    }

    public var description: String { "\(file): \(explanation)" }

    private var explanation: String {
        switch reason {
        case .missing(let expected):
            "expected \(expected), found none"
        case .unreadable(let cause):
            "cannot be read (\(cause))"
        case .malformedJSON(let why): why
        case .unexpected(let key, let expected, let found):
            "'\(key)': expected \(expected), found \(found)"
        case .unknownPattern(let pattern):
            "'pre_tokenizer': no scanner for the pattern \(oneLine(pattern))"
        case .collision(let token, let id, let other):
            "token '\(oneLine(token))' with id \(id) collides with \(oneLine(other))"
        case .idOutOfRange(let token, let id, let limit):
            "token '\(oneLine(token))' has id \(id), expected 0 to \(limit)"
        case .unknownTokenInMerge(let index, let token):
            "merge \(index) names '\(oneLine(token))', which the vocabulary lacks"
        case .missingByte(let byte):
            "the vocabulary has no token for the single byte \(byte)"
        case .missingSpecialToken(let token, let format):
            "no special token '\(token)', which \(format) prompts need; "
                + "is this the tokenizer of another model?"
        }
    }
}

/// Escapes control characters, so that quoted file content cannot break a line, and shortens it.
private func oneLine(_ text: String) -> String {
    let limit = 200
    let escaped = text.unicodeScalars.prefix(limit).map { scalar in
        scalar.value < 0x20 || scalar.value == 0x7F ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return escaped.joined() + (text.unicodeScalars.count > limit ? "…" : "")
}
