import Checkpoints
import TestSupport
import Testing

@Suite("GGUF files")
struct ReaderTests {
    @Test func giveTensorsInPyTorchsOrderOfDimensions() throws {
        var builder = FileBuilder()
        builder.add("b", [2, 3], type: 30, offset: 96)
        builder.add("a", [32, 1, 2], type: 8)
        builder.add("none", [0], offset: 96)
        builder.dataSize = 108
        let file = try builder.open()
        #expect(file.version == 3 && file.alignment == 32)
        #expect(file.tensors.map(\.name) == ["a", "none", "b"])
        let a = try #require(file["a"])
        #expect(a.shape == [2, 1, 32] && a.type == .Q8_0)
        #expect(a.byteCount == 68 && a.bytesPerRow == 34)
        let b = try #require(file["b"])
        #expect(b.shape == [3, 2] && b.byteCount == 12)
        #expect(Array(file.bytes(of: b)) == Array(96..<108))
        #expect(file["c"] == nil)
    }

    @Test func ofVersion2AreRead() throws {
        var builder = FileBuilder()
        builder.version = 2
        builder.add("a", [1])
        builder.dataSize = 4
        #expect(try builder.open().version == 2)
    }

    @Test func giveTypedMetadata() throws {
        var builder = FileBuilder()
        builder.add("byte", type: 1, [0xFF])
        builder.add("count", type: 4, [5, 0, 0, 0])
        builder.add("real", type: 6, FileBuilder.bytes(Float(1.5).bitPattern))
        builder.add("double", type: 12, FileBuilder.bytes((-0.1).bitPattern))
        builder.add("large", type: 10, FileBuilder.bytes(UInt64.max))
        builder.add("yes", type: 7, [1])
        builder.add("text", type: 8, FileBuilder.text("größe"))
        let file = try builder.open()
        #expect(file.integer("byte") == -1 && file.integer("count") == 5)
        #expect(file.number("real") == 1.5 && file.number("double") == -0.1)
        #expect(file.number("count") == 5 && file.integer("large") == nil)
        #expect(file.metadata["large"] == .large(.max))
        #expect(file.boolean("yes") == true && file.string("text") == "größe")
        #expect(file.string("count") == nil && file.integer("text") == nil)
        #expect(file.number("absent") == nil)
        #expect(Set(file.numbers.keys) == ["byte", "count", "real", "double", "large"])
    }

    @Test func giveArraysWhenAsked() throws {
        var builder = FileBuilder()
        let two = FileBuilder.bytes(UInt64(2))
        let words = FileBuilder.text("a") + FileBuilder.text("bc")
        builder.add("words", type: 9, FileBuilder.bytes(UInt32(8)) + two + words)
        builder.add("shape", type: 9, FileBuilder.bytes(UInt32(2)) + two + [1, 0, 2, 0])
        let nested = FileBuilder.bytes(UInt32(9)) + FileBuilder.bytes(UInt64(1))
        builder.add("nested", type: 9, nested + FileBuilder.bytes(UInt32(0)) + two + [7, 8])
        builder.add("after", type: 0, [9])
        let file = try builder.open()
        #expect(try file.strings("words") == ["a", "bc"])
        #expect(try file.integers("shape") == [1, 2])
        #expect(try file.numbers("shape") == [1, 2])
        #expect(try file.integers("words") == nil && file.strings("after") == nil)
        guard case .array(let type, let count, let range) = file.metadata["words"] else {
            Issue.record("no array")
            return
        }
        #expect(type == .string && count == 2 && range.count == words.count)
        #expect(file.integer("after") == 9)
    }

    @Test func mayAskForAnotherAlignment() throws {
        var builder = FileBuilder()
        builder.add("general.alignment", type: 4, [64, 0, 0, 0])
        builder.add("a", [1], offset: 64)
        builder.dataSize = 200
        let file = try builder.open()
        #expect(file.alignment == 64 && file["a"]?.range.lowerBound == 192)
    }

    @Test(arguments: ["klein-transformer", "qwen3", "mistral3", "llama"])
    func ofTheReferencePackageAreRead(name: String) throws {
        let file = try GGUFFile(path: "\(Reference.own)/gguf/\(name).gguf")
        let expected = name == "klein-transformer" ? "flux" : name
        #expect(file.string("general.architecture") == expected)
        #expect(file.tensors.allSatisfy { file.bytes(of: $0).count == $0.byteCount })
        guard name != "klein-transformer" else { return }
        let tokens = try #require(try file.strings("tokenizer.ggml.tokens"))
        #expect(tokens.count == file["token_embd.weight"]?.shape[0])
        #expect(tokens.last == "token \(tokens.count - 1)")
        #expect(file.boolean("tokenizer.ggml.add_bos_token") == false)
    }
}
