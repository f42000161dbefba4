@testable import Flux2
@testable import FluxTraining
import FluxModels
import Foundation
import TestSupport
import Testing

@Suite("What a training tells before its first step")
struct TrainingRemarkTests {
    private func remarks(
        _ change: (inout TrainingSettings) -> Void = { _ in },
        files: (inout TrainingFiles) -> Void = { _ in }
    ) throws -> [String] {
        var settings = TrainingSettings()
        settings.method.loraBase = try TrainableModule("dit", option: "")
        settings.method.loraTargets = LoRATargets("to_q,to_k")
        change(&settings)
        var given = TrainingFiles(try ModelFiles(model: Reference.ownModel("tiny-klein")))
        given.distillation = .none
        files(&given)
        let parts = try TrainingParts(given, device: .cpu, dtype: .float32)
        return try TrainingRemarks(settings: settings, files: given, parts: parts).all()
    }

    @Test("names that reach no layer, and inputs that change nothing")
    func names() throws {
        #expect(try remarks().isEmpty)
        let targets = try remarks { $0.method.loraTargets = LoRATargets("to_q,ffn.0,ffn.2") }
        #expect(targets.count == 1 && targets[0].contains("2 names, such as 'ffn.0'"))
        let kept = try remarks(files: { $0.keptAsStored[.transformer] = ["proj_out", "no_such"] })
        #expect(kept == ["--quant_options: no layer of the transformer is called 'no_such'"])
    }

    @Test(arguments: [
        (TrainingTask.sft, "cfg_scale,seed,rand_device,noise_scale,embedded_guidance", 4),
        (.sft, "edit_image,edit_image_auto_resize", 0), (.sft, "edit_image_auto_resize", 1),
        (.directDistill, "seed,rand_device,num_inference_steps,cfg_scale", 1),
        (.directDistill, "seed,num_inference_steps,noise_scale", 1),
        (.sftTrain, "seed,cfg_scale", 1),
    ])
    func extraInputs(_ task: TrainingTask, _ names: String, _ count: Int) throws {
        let found = try remarks {
            $0.task = task
            $0.data.extraInputs = NameList.read(names)
        }
        #expect(found.count == count, "\(found)")
        #expect(found.allSatisfy { $0.hasPrefix("--extra_inputs") })
    }

    @Test("that a distilled model is trained on images")
    func distilled() throws {
        #expect(try remarks(files: { $0.distillation = .known })[0].contains("was distilled"))
        #expect(try remarks(files: { $0.distillation = .likely })[0].contains("called klein"))
        #expect(
            try remarks({ $0.task = .directDistill }, files: { $0.distillation = .known }).isEmpty)
        let encoder = try remarks(
            {
                $0.method.loraBase = try? TrainableModule("text_encoder", option: "")
                $0.method.loraTargets = LoRATargets("q_proj,v_proj")
            }, files: { $0.distillation = .known })
        #expect(encoder.isEmpty)
    }

    @Test("which models were distilled")
    func distillations() throws {
        func found(_ variant: Variant?, _ saysSo: Bool?, _ name: String) -> Distillation {
            Distillation(variant: variant, saysSo: saysSo, name: name)
        }
        #expect(found(.klein4B, nil, "klein-4b") == .known)
        #expect(found(.kleinBase4B, nil, "klein-base-4b") == .none)
        #expect(found(nil, true, "mine") == .known && found(nil, nil, "mine") == .none)
        #expect(found(nil, false, "my-Klein") == .likely)
        #expect(found(nil, nil, "my-klein-base") == .none)
        let folder = try TemporaryFolder()
        let path = try folder.model()
        #expect(Distillation(transformer: path + "/transformer", repository: nil) == .likely)
        try #"{"is_distilled": true}"#.write(
            toFile: path + "/model_index.json", atomically: true, encoding: .utf8)
        #expect(Distillation(transformer: path + "/transformer", repository: nil) == .known)
        let hub = "black-forest-labs/FLUX.2-klein-9B"
        #expect(Distillation(transformer: path, repository: hub) == .known)
    }

    @Test("that weights which are trained are not kept in 8 bits")
    func eightBits() throws {
        for (storage, option) in [
            (WeightStorage.float8, "--fp8_models"), (.matrices(.int8Rows), "--quant_options"),
        ] {
            var files = TrainingFiles(try ModelFiles(model: Reference.ownModel("tiny-klein")))
            files.storage[.transformer] = storage
            let parts = try TrainingParts(files, device: .cpu, dtype: .float32)
            let error = #expect(throws: RequestError.self) {
                try TrainableWeights(parts).train(TrainableModule("dit", option: ""))
            }
            #expect(error?.setting == option)
            try TrainableWeights(parts).addAdapters(
                to: TrainableModule("dit", option: ""), targets: LoRATargets("to_q,to_k"), rank: 2,
                seed: 1)
        }
    }
}

@Suite("What a checkpoint calls its model")
struct BaseModelNameTests {
    @Test(arguments: [
        ("klein-base-4b", "klein-base-4b"),
        ("black-forest-labs/FLUX.2-klein-4B", "black-forest-labs/FLUX.2-klein-4B"),
        ("/home/me/secret/FLUX.2-dev", "FLUX.2-dev"), ("../x/mine/", "mine"),
        (
            "/a/hub/models--black-forest-labs--FLUX.2-klein-4B/snapshots/0123",
            "black-forest-labs/FLUX.2-klein-4B"
        ),
        ("/a/black-forest-labs/FLUX___2-klein-4B", "FLUX.2-klein-4B"),
    ])
    func isAName(_ given: String, _ name: String) { #expect(BaseModelName.of(given) == name) }
}
