@testable import Flux2
import TestSupport
import Testing
import Torch

@Suite("Prompts that come again")
struct PromptMemoryTests {
    private func key(_ prompt: String) -> PromptMemory.Key {
        .init(prompt: prompt, parity: .diffsynth, length: 512)
    }

    @Test func areEncodedOnceAndForgottenInTheOrderOfTheirUse() throws {
        let memory = PromptMemory(limit: 2)
        var encoded: [String] = []
        for prompt in ["a", "b", "a", "c", "a", "b"] {
            _ = try memory.features(of: key(prompt)) { key in
                encoded.append(key.prompt)
                return try .zeros([1])
            }
        }
        #expect(encoded == ["a", "b", "c", "b"])
        #expect(!memory.knows(key("c")))
    }

    @Test func loadNoEncoder() throws {
        try withoutGradients {
            let pipeline = try Pipeline(
                ModelFiles(model: Reference.ownModel("tiny-klein")), device: .cpu, dtype: .float32)
            var request = GenerationRequest(prompt: "a red fox", seed: 1)
            request.cfgScale = 2
            let texts = try (0..<2).map { _ in
                var loads = 0
                var run = try GenerationRun(pipeline, request)
                let features = try run.encode { event in
                    if case .loaded = event { loads += 1 }
                }
                return (features, loads)
            }
            #expect(texts[0].1 == 1 && texts[1].1 == 0)
            #expect(try texts[0].0.positive.isEqual(to: texts[1].0.positive))
            #expect(try !texts[0].0.positive.isEqual(to: #require(texts[0].0.negative)))
        }
    }
}
