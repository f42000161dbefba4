@testable import Flux2
import FluxModels
import Foundation
import Imaging
import Synchronization
import TestSupport
import Testing
import Tokenization

@Suite("A model that draws less than a megapixel")
struct SmallModelTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func files(_ index: String, _ name: String = "tiny-klein") throws -> ModelFiles {
        try? FileManager.default.removeItem(atPath: folder.file("tiny-klein"))
        let path = try folder.model()
        try index.write(toFile: path + "/model_index.json", atomically: true, encoding: .utf8)
        guard name != "tiny-klein" else { return try ModelFiles(model: path) }
        try FileManager.default.moveItem(atPath: path, toPath: folder.file(name))
        return try ModelFiles(model: folder.file(name))
    }

    @Test("has references of its own size")
    func references() throws {
        let files = try files(#"{"flux2": {"height": 64, "width": 128}}"#)
        #expect(files.referenceArea == 8192)
        let image = Image(width: 300, height: 300, red: 1, green: 2, blue: 3)
        for parity in Parity.allCases {
            let fitted = parity.fitted(image, among: 1, area: files.referenceArea)
            #expect(fitted.width * fitted.height <= 96 * 96, "\(parity)")
        }
        var request = GenerationRequest(prompt: "", seed: 0)
        request.editImages = [image]
        #expect(request.encodedEditSizes[0].width == 1024)
        request.referenceArea = files.referenceArea
        #expect(request.encodedEditSizes[0].width == 96)
    }

    @Test("others have a megapixel")
    func others() throws {
        #expect(try files("{}").referenceArea == 1 << 20)
        let large = #"{"flux2": {"height": 2048, "width": 2048}}"#
        #expect(try files(large).referenceArea == 1 << 20)
    }

    @Test("tells words that it does not know, where it knows whole ones only")
    func words() async throws {
        for (name, isTold) in [("tiny-klein", false), ("emoji", true)] {
            let engine = Engine(try files("{}", name), dtype: .float32)
            var request = GenerationRequest(prompt: "a gorilla, a gorilla", seed: 0)
            (request.height, request.width, request.steps) = (32, 32, 1)
            let told = Mutex<[String]>([])
            _ = try await engine.generate(request) { event in
                if case .warned(let text) = event { told.withLock { $0.append(text) } }
            }
            let texts = told.withLock(\.self)
            #expect(
                texts.contains { $0.hasSuffix("does not know: 'gorilla'") } == isTold, "\(texts)")
        }
    }

    @Test("words that have a token are known")
    func vocabulary() throws {
        let tokenizer = try Tokenizer(
            folder: Reference.ownModel("tiny-klein") + "/tokenizer")
        #expect(tokenizer.wordsInPieces(of: "a, b! 3 c").isEmpty)
        #expect(tokenizer.wordsInPieces(of: "zyxwv a zyxwv qqkk") == ["zyxwv", "qqkk"])
    }
}
