import ArgumentParser

/// Arguments that stand in an order of their own or, as in other commands, behind an option's name.
enum Positions {
    /// One of them.
    struct Slot {
        /// Of the argument.
        var name: String
        /// Without dashes; nil is the argument's.
        var option: String?
        /// What the option says.
        var named: String?
    }

    /// The values of all slots, of which words fill those that no option does.
    ///
    /// - Parameter words: what stands in order; a whole row may repeat what options say.
    /// - Throws: `ValidationError` for a value that is missing, one too many, or another one.
    static func values(of slots: [Slot], words: [String?]) throws -> [String] {
        var rest = words.compactMap(\.self)[...]
        let isWhole = rest.count == slots.count
        let values = try slots.map { slot in
            if let named = slot.named, !isWhole { return named }
            guard let word = rest.popFirst() else {
                throw ValidationError("Missing expected argument '<\(slot.name)>'")
            }
            try slot.require(word)
            return word
        }
        guard let odd = rest.first else { return values }
        throw ValidationError("Unexpected argument '\(odd)'")
    }
}

extension Positions.Slot {
    /// Refuses two values for one thing.
    fileprivate func require(_ word: String) throws {
        guard let named, named != word else { return }
        throw ValidationError(
            "<\(name)> is '\(word)', and --\(option ?? name) says '\(named)'; give one")
    }
}
