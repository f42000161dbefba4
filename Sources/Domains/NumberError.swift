/// A number that a setting or a field may not have.
public struct NumberError: Error, Hashable, CustomStringConvertible {
    /// The option, setting or field.
    public var name: String
    /// What it must be; completes "must be …".
    public var expected: String
    /// What it is; completes "not …".
    public var found: String

    /// Names something with what it must be and what it is.
    public init(name: String, expected: String, found: String) {
        self.name = name
        self.expected = expected
        self.found = found
    }

    public var description: String { "\(name) must be \(expected), not \(found)" }
}

extension NumberDomain {
    /// - Throws: `NumberError` for a number that is none of the values.
    public func check(_ value: Int, _ name: String) throws {
        guard !contains(value) else { return }
        throw NumberError(name: name, expected: description, found: "\(value)")
    }

    /// - Throws: `NumberError` for a number that is none of the values.
    public func check(_ value: Double, _ name: String) throws {
        guard !contains(value) else { return }
        throw NumberError(name: name, expected: description, found: Self.text(value))
    }

    /// - Throws: `NumberError` for a text that says none of the values.
    public func check(_ text: String, _ name: String) throws {
        guard !contains(text) else { return }
        let shown = text.prefix(60)
        throw NumberError(
            name: name, expected: description,
            found: Double(text) == nil ? "'\(shown)'" : "\(shown)")
    }
}
