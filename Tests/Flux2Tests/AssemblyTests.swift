@testable import Flux2
@testable import FluxModels
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

@Suite("A model that is put together")
struct AssemblyTests {
    /// Tensors that several weights make up, and whose rows are in another order.
    @Test func keepsTheNamingOfItsFiles() throws {
        let folder = try TemporaryFolder()
        let model = try folder.model()
        let published = model + "/transformer/diffusion_pytorch_model.safetensors"
        let writer = try SingleFileWriter(model + "/transformer")
        let names = ["norm_out.linear.weight", "transformer_blocks.1.attn.to_k.weight"]
        let checkpoint = folder.file("checkpoint.safetensors")
        var changed: [String: Tensor] = [:]
        for name in names {
            let entry = try #require(writer.source[name])
            changed["pipe.dit." + name] =
                try Tensor.mapped(entry.info, of: entry.file)
                .to(dtype: .float32) * 3
        }
        try SafetensorsWriter.write(
            to: checkpoint, tensors: changed.map { try TensorToWrite($0, $1) })
        try writer.write(.bflTransformer, to: folder.file("bfl.safetensors"))
        try FileManager.default.removeItem(atPath: published)
        try FileManager.default.moveItem(
            atPath: folder.file("bfl.safetensors"), toPath: published)

        let assembly = try ModelAssembly(
            model: model, AssemblySettings(checkpoints: [checkpoint]))
        let report = try assembly.write(to: folder.file("new"))
        let part = try #require(report.parts.first { $0.component == .transformer })
        #expect(part.taken == [.init(path: checkpoint, weights: 2)])

        let pair = try TransformerPair(base: model, tuned: folder.file("new"))
        for key in pair.keys {
            let factor: Double = names.contains(key) ? 2 : 0
            let before = try #require(writer.source[key])
            let expected =
                try Tensor.mapped(before.info, of: before.file)
                .to(dtype: .float32) * factor
            let difference = try (pair.change(of: key) - expected).abs().maximum().item()
            #expect(difference == 0, "\(key)")
        }
        let file = try SafetensorsFile(
            path: folder.file("new/transformer/diffusion_pytorch_model.safetensors"))
        #expect(file["double_blocks.1.img_attn.qkv.weight"]?.type == .F32)
        #expect(file["double_blocks.0.img_attn.qkv.weight"]?.type == .BF16)
    }

    @Test func takesLinksForTheFilesThatTheyLeadTo() throws {
        let folder = try TemporaryFolder()
        let model = folder.file("linked")
        try FileManager.default.createDirectory(
            atPath: model, withIntermediateDirectories: false)
        let original = Reference.ownModel("tiny-klein")
        for name in try FileManager.default.contentsOfDirectory(atPath: original) {
            try FileManager.default.createSymbolicLink(
                atPath: "\(model)/\(name)", withDestinationPath: "\(original)/\(name)")
        }
        let settings = AssemblySettings(index: [IndexField("flux2.notice", .text("x"))])
        _ = try ModelAssembly(model: model, settings).write(to: folder.file("new"))
        let attributes = try FileManager.default.attributesOfItem(
            atPath: folder.file("new/transformer"))
        #expect(attributes[.type] as? FileAttributeType == .typeDirectory)
        #expect(try ModelFiles(model: folder.file("new")).notice == "x")
    }

    @Test func endsWhenItIsToldTo() throws {
        let folder = try TemporaryFolder()
        let assembly = try ModelAssembly(
            model: Reference.ownModel("tiny-klein"), AssemblySettings(dtype: .float32))
        #expect(throws: CancellationError.self) {
            _ = try assembly.write(to: folder.file("new")) { progress in
                if progress.done > progress.total / 2 { throw CancellationError() }
            }
        }
        #expect(folder.contents.isEmpty)
    }

    @Test func fieldsOfTheIndexHaveTypes() throws {
        #expect(try IndexField("a.b=3") == IndexField("a.b", .integer(3)))
        #expect(try IndexField("a=true") == IndexField("a", .flag(true)))
        #expect(try IndexField("a=0.5") == IndexField("a", .number(0.5)))
        #expect(try IndexField("a=x=y") == IndexField("a", .text("x=y")))
        for text in ["a", "=3", "a..b=3", ""] {
            #expect(throws: RequestError.self) { try IndexField(text) }
        }
    }
}
