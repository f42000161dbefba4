import TestSupport
import Testing
import Tokenization

@testable import emoji_recipe

@Suite("The vocabulary of captions") struct VocabularyTests {
    private let words = ["cat", "cats", "red", "heart", "redheart", "user", "assistant", "\n\n"]

    @Test func hasEveryWordAsOneToken() throws {
        let folder = try TemporaryFolder()
        try TokenizerWriter(BytePairTraining(words: words + ["cat"])).write(to: folder.path)
        let tokenizer = try Tokenizer(folder: folder.path)
        for word in words { #expect(tokenizer.encode(word).count == 1, "\(word)") }
        // A word is the same token at the beginning and behind a blank.
        let ids = tokenizer.encode("red cat")
        #expect(ids.count == 3 && ids[0] == tokenizer.encode("red")[0])
        #expect(ids[2] == tokenizer.encode("cat")[0])
        #expect(tokenizer.encode("zebra").count > 1)
        let prompt = try PromptTokenizer(tokenizer, format: .qwen3)("red heart", length: 32)
        #expect(!prompt.wasTruncated && prompt.tokenCount == 15)
    }

    @Test func doesNotDependOnTheOrderOfWords() {
        let (a, b) = (BytePairTraining(words: words), BytePairTraining(words: words.reversed()))
        #expect(a.merges.map { [$0.left, $0.right] } == b.merges.map { [$0.left, $0.right] })
    }
}
