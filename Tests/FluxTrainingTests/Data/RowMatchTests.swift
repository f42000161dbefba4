@testable import FluxTraining
import Testing

@Suite("Samples of an earlier run") struct RowMatchTests {
    /// Rows of one letter each: the same letter is the same sample, a capital one cannot be read.
    private func rows(_ text: String, damaged: Bool = true) -> [FoundRow] {
        text.map { letter in
            let code = UInt64(letter.lowercased().utf8.first ?? 0)
            // What cannot be read is there with other bytes, or with the same.
            let files = letter.isUppercase && damaged ? 0 : code
            return FoundRow(
                identity: RowIdentity(text: code, files: files), isReadable: letter.isLowercase,
                name: String(letter))
        }
    }

    private func match(_ before: String, _ now: String, allowsGone: Bool = true) throws -> [Int?] {
        try RowMatch(rows(before).map(\.identity), rows(now), allowsGone: allowsGone).numbers
    }

    @Test func areFoundWhereNothingHasChanged() throws {
        #expect(try match("abc", "abc", allowsGone: false) == [0, 1, 2])
        #expect(try match("aaa", "aaa") == [0, 1, 2])
    }

    @Test func keepTheirPlacesWhereSomeAreGone() throws {
        #expect(try match("abcd", "abd") == [0, 1, nil, 2])
        #expect(try match("abcd", "cd") == [nil, nil, 0, 1])
        #expect(try match("abcd", "ab") == [0, 1, nil, nil])
        #expect(try match("abcd", "aBcd") == [0, nil, 2, 3])
    }

    @Test func areNotThoseThatCouldNotBeReadBefore() throws {
        #expect(try match("acd", "aBcd") == [0, 2, 3])
        #expect(try match("bbb", "bBbb") == [0, 2, 3])
    }

    @Test func whoseBytesAreAsBadAsEverAreGone() throws {
        let now = rows("aBc", damaged: false)
        let numbers = try RowMatch(rows("abc").map(\.identity), now, allowsGone: true).numbers
        #expect(numbers == [0, nil, 2])
    }

    @Test(arguments: [
        ("abc", "abd", "sample 3, 'd', has another"), ("abc", "abcd", "3 samples, now 4"),
        ("abc", "bac", "sample 1, 'b', has another"), ("ab", "xab", "2 samples, now 3"),
    ])
    func othersAreTold(_ before: String, _ now: String, _ words: String) throws {
        let error = try #require(throws: RowMatch.Mismatch.self) { try match(before, now) }
        #expect("\(error)".contains(words), "\(error)")
    }

    @Test func areNotGoneUnlessThatIsAllowed() throws {
        let error = try #require(throws: RowMatch.Mismatch.self) {
            try match("abc", "ac", allowsGone: false)
        }
        #expect("\(error)".contains("--skip-unreadable"), "\(error)")
    }
}
