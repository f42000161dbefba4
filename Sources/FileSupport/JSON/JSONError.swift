/// Text that is not JSON, or not the value that was asked for.
package struct JSONError: Error, Hashable, CustomStringConvertible {
    /// Bytes from the start of the text.
    package var position: Int
    package var expected: String
    package var found: String

    package var description: String {
        "not valid JSON at byte \(position): expected \(expected), found \(found)"
    }
}

/// The text of UTF-8 bytes; nil where they are something else.
package func validated(_ bytes: some Sequence<UInt8>) -> String? {
    String(validating: bytes, as: UTF8.self)
}
