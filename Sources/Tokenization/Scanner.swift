/// Splits a text by a pattern: at each place the first alternative that matches, as a
/// backtracking regular expression does.
///
/// Positions count scalars. Every alternative takes the position where a piece starts and gives
/// the one where it ends, or nil.
struct Scanner {
    let pattern: SplitPattern
    let text: ClassifiedText
    private let classes: [ScalarClass]

    init(_ bytes: [UInt8], pattern: SplitPattern) {
        self.pattern = pattern
        text = ClassifiedText(bytes)
        classes = text.classes
    }

    /// Calls `body` with the byte range of each piece, in order and without gaps.
    func forEachPiece(_ body: (Range<Int>) -> Void) {
        var start = 0
        while start < classes.count {
            let end = endOfPiece(at: start)
            body(text.offsets[start]..<text.offsets[end])
            start = end
        }
    }

    private func endOfPiece(at start: Int) -> Int {
        if pattern.splitsContractions, let end = contraction(at: start) { return end }
        if let end = word(at: start) { return end }
        if let end = number(at: start) { return end }
        if let end = punctuation(at: start) { return end }
        // Only blanks are left: every other scalar starts a word, a number or punctuation.
        return blanks(at: start)
    }

    /// The end of the run of scalars in a class.
    private func run(from start: Int, of wanted: ScalarClass) -> Int {
        var end = start
        while end < classes.count, !classes[end].isDisjoint(with: wanted) { end += 1 }
        return end
    }

    private func stands(at position: Int, _ wanted: ScalarClass) -> Bool {
        position < classes.count && !classes[position].isDisjoint(with: wanted)
    }
}

// MARK: Words

extension Scanner {
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
    private func contraction(at start: Int) -> Int? {
        guard classes[start].contains(.apostrophe) else { return nil }
        switch (folded(at: start + 1), folded(at: start + 2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
            (UInt8(ascii: "d"), _):
            return start + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 3
        default:
            return nil
        }
    }

    /// The small ASCII letter that a scalar folds to, if any.
    private func folded(at position: Int) -> UInt8? {
        guard stands(at: position, .letter) else { return nil }
        let scalar = text.bytes[text.offsets[position]..<text.offsets[position + 1]]
        // U+017F, the long s, is the one scalar beyond ASCII that folds to a letter wanted here.
        if scalar.elementsEqual("\u{17F}".utf8) { return UInt8(ascii: "s") }
        return scalar.count == 1 ? scalar.first.map { $0 | 0x20 } : nil
    }

    private func word(at start: Int) -> Int? {
        // The scalar before a word may be anything but a letter, a number or a line break.
        let hasPrefix = classes[start].isDisjoint(with: .wordOrLineBreak)
        switch pattern.words {
        case .letters:
            let first = hasPrefix ? start + 1 : start
            let end = run(from: first, of: .letter)
            return end > first ? end : nil
        case .caseAware:
            if hasPrefix, let end = smallWord(from: start + 1) { return end }
            if let end = smallWord(from: start) { return end }
            if hasPrefix, let end = capitalWord(from: start + 1) { return end }
            return capitalWord(from: start)
        }
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
    private func smallWord(from start: Int) -> Int? {
        let opening = run(from: start, of: .opening)
        let end = run(from: opening, of: .closing)
        if end > opening { return end }
        // Nothing follows, so the opening run gives back scalars until one of them can close.
        var last = opening - 1
        while last >= start, classes[last].isDisjoint(with: .closing) { last -= 1 }
        return last >= start ? last + 1 : nil
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
    private func capitalWord(from start: Int) -> Int? {
        let opening = run(from: start, of: .opening)
        return opening > start ? run(from: opening, of: .closing) : nil
    }
}

// MARK: Everything else

extension Scanner {
    /// `\p{N}` or `\p{N}{1,3}`
    private func number(at start: Int) -> Int? {
        var end = start
        while end < start + pattern.numbers.limit, stands(at: end, .number) { end += 1 }
        return end > start ? end : nil
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*`, or with `/` among the line breaks.
    private func punctuation(at start: Int) -> Int? {
        let first = classes[start].contains(.blank) ? start + 1 : start
        var end = first
        while end < classes.count, classes[end].isDisjoint(with: .wordOrSpace) { end += 1 }
        guard end > first else { return nil }
        return run(
            from: end, of: pattern.punctuationTakesSlashes ? [.lineBreak, .slash] : .lineBreak)
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`
    private func blanks(at start: Int) -> Int {
        let end = run(from: start, of: .space)
        var lastBreak = end - 1
        while lastBreak >= start, !classes[lastBreak].contains(.lineBreak) { lastBreak -= 1 }
        if lastBreak >= start { return lastBreak + 1 }
        // A run before something else leaves its last blank to the next piece, if it can.
        return end == classes.count || end == start + 1 ? end : end - 1
    }
}
