@testable import FluxTraining
import Flux2
import FluxModels
import Foundation
import Imaging
import LoRA
import Offloading
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Training reproduces the reference")
    struct Training {
        @Test func lossesAndGradients() throws {
            try runGoldens("training", where: { $0.hasPrefix("sft_") && $0.contains("gradients") })
            {
                golden in
                let run = try TrainingCase(golden)
                try run.expectGradients(golden, recomputing: nil)
            }
        }

        @Test func recomputationChangesNoGradient() throws {
            for name in ["sft_full_gradients_f32", "sft_lora_gradients_bf16"] {
                let (plain, checkpointed) = try KernelSet.limited(to: .reference) {
                    try gradients(name)
                }
                for (x, y) in zip(plain, checkpointed) {
                    #expect(try x.1.isEqual(to: y.1), "\(x.0)")
                }
            }
        }

        /// The first pass keeps nothing for gradients, so kernels compute it, and libtorch the second. What
        /// that changes depends on the processor's kernels, and is less than another order of sums may.
        @Test func recomputationAfterKernelsChangesGradientsByRoundingOnly() throws {
            let (plain, checkpointed) = try gradients("sft_lora_gradients_bf16")
            let limit = Tolerance(stage: "training", dtype: .bfloat16).relative
            let rounding = try distance(checkpointed, plain)
            #expect(rounding < limit, "\(rounding)")
            #expect(rounding > 0 || KernelSet.current == .reference)
        }

        /// The norm of the difference of all gradients, over their own.
        private func distance(
            _ found: [(String, Tensor)], _ expected: [(String, Tensor)]
        ) throws -> Double {
            func norm(_ x: Tensor) throws -> Double { try x.square().sum().item() }
            var (difference, all) = (0.0, 0.0)
            for (x, y) in zip(found, expected) {
                let (x, y) = try (x.1.to(dtype: .float64), y.1.to(dtype: .float64))
                difference += try norm(x - y)
                all += try norm(y)
            }
            return (difference / all).squareRoot()
        }

        /// The gradients of a golden's step, by name, without recomputation and with it.
        private func gradients(
            _ name: String
        ) throws -> (plain: [(String, Tensor)], checkpointed: [(String, Tensor)]) {
            let golden = try Golden("training", name)
            func gradients(_ recomputing: ActivationCheckpointing?) throws -> [(String, Tensor)] {
                let run = try TrainingCase(golden)
                _ = try run.backward(golden, recomputing: recomputing)
                return try run.weights.parameters.map {
                    ($0.name, try #require(try $0.tensor.gradient()))
                }
            }
            return try (gradients(nil), gradients(.host))
        }

        @Test func blocksThatComeWhileTheyAreUsedChangeNoGradient() throws {
            let golden = try Golden("training", "sft_lora_gradients_bf16")
            for recomputing in [nil, ActivationCheckpointing.device] {
                let plain = try TrainingCase(golden)
                _ = try plain.backward(golden, recomputing: recomputing)
                var slots = WeightPlacement.DeviceBufferSettings()
                slots.poisons = true
                let streamed = try TrainingCase(golden, streaming: slots)
                for _ in 0..<2 {
                    for parameter in streamed.weights.parameters {
                        try parameter.tensor.clearGradient()
                    }
                    _ = try streamed.backward(golden, recomputing: recomputing)
                    try streamed.parts.endStep()
                }
                for (a, b) in zip(plain.weights.parameters, streamed.weights.parameters) {
                    let x = try #require(try a.tensor.gradient())
                    let y = try #require(try b.tensor.gradient())
                    #expect(try x.isEqual(to: y), "\(a.name)")
                }
                let counters = try #require(streamed.parts.transformer?.weights.counters)
                #expect(counters.moved > 0 && counters.mostOpen <= 2)
                // Only the first passage goes another way than was thought.
                let before = counters.restarts
                _ = try streamed.backward(golden, recomputing: recomputing)
                #expect(streamed.parts.transformer?.weights.counters.restarts == before)
            }
        }

        @Test func boundariesReferencesAndGuidance() throws {
            try runGoldens("training", where: { $0.hasPrefix("sft_variants") }) { golden in
                let isHalf = golden.dtype == .bfloat16
                for label in ["range", "guided"] + (isHalf ? [] : ["edit"]) {
                    try TrainingCase.variant(label, golden)
                }
                if isHalf { golden.leave { $0.hasPrefix("edit.") } }
            }
        }

        /// References of a megapixel, which pass the whole autoencoder.
        @Test(.enabled(if: Runtime.cpuHasBFloat16, "minutes without products of bfloat16"))
        func referencesInBFloat16() throws {
            try runGoldens("training", where: { $0 == "sft_variants_bf16" }) { golden in
                try TrainingCase.variant("edit", golden)
                golden.leave { !$0.hasPrefix("edit.") }
            }
        }

        @Test func whatWasEncodedBefore() throws {
            try runGoldens("training", where: { $0.hasPrefix("from_cache") }) { golden in
                let run = try TrainingCase(golden, isFull: true)
                func unpacked(_ key: String) throws -> Tensor {
                    let ids = try golden.input("cached.image_ids").values(as: Int64.self)
                    let rows = Int(ids[ids.count - 3]) + 1
                    return try LatentTokens.unpack(
                        golden.input(key), height: rows, width: ids.count / 4 / rows)
                }
                var sample = EncodedSample(
                    latents: try unpacked("cached.input_latents"),
                    text: try golden.input("cached.prompt_embeds"))
                if golden.has("in.cached.edit_latents") {
                    let ids = try golden.input("cached.edit_image_ids")
                    sample.references = try (
                        golden.input("cached.edit_latents"), ids.reshaped([ids.size(1), 4])
                    )
                }
                sample.noise = try unpacked("cached.latents")
                sample.extras.inferenceSteps = 4
                let loss = try withGradients {
                    let loss: Tensor
                    if golden.string("task") == "direct_distill" {
                        loss = try DirectDistillation(transformer: run.transformer)
                            .loss(SampleBatch([sample]))
                    } else {
                        let flow = FlowMatching(
                            transformer: run.transformer, levels: try NoiseLevels())
                        let draws = try NoiseSampler(
                            seed: ReferenceTraining.seed(plus: 5), order: .torch)
                        let noised = try flow.draw(sample, from: draws)
                        try golden.expectInput("noise", of: noised.noise)
                        loss = try flow.loss(SampleBatch([sample]), [noised])
                    }
                    try loss.backward()
                    return loss
                }
                try golden.expect(loss.detached().reshaped([1]), "loss")
                try golden.expect(run.gradient("x_embedder.weight"), "grad.x_embedder.weight")
            }
        }

        @Test func directDistillation() throws {
            try runGoldens("training", where: { $0.hasPrefix("direct_distill") }) { golden in
                let run = try TrainingCase(golden, isFull: true)
                var sample = try run.sample(golden)
                sample.extras.inferenceSteps = golden.integer("num_inference_steps")
                sample.noise = try NoiseSampler.noise(
                    seed: UInt64(#require(golden.integer("seed"))), like: sample.latents,
                    randomDevice: .cpu)
                try golden.expectInput("noise", of: run.tokens(#require(sample.noise)))
                let loss = try withGradients {
                    let loss = try DirectDistillation(
                        transformer: run.transformer
                    ).loss(SampleBatch([sample]))
                    try loss.backward()
                    return loss
                }
                try golden.expect(loss.detached().reshaped([1]), "loss")
                try run.expectNorms(golden, "grad_norms")
                for key in golden.outputs where key.hasPrefix("grad.") {
                    try golden.expect(run.gradient(String(key.dropFirst(5))), key)
                }
            }
        }
    }
}

/// A tiny model with what a golden trains of it.
struct TrainingCase {
    let parts: TrainingParts
    let weights: TrainableWeights
    let encoder: SampleEncoder
    let transformer: FluxTransformer

    init(
        _ golden: Golden, isFull: Bool? = nil, model: String = "tiny-klein",
        streaming: WeightPlacement.DeviceBufferSettings? = nil
    ) throws {
        let lora = isFull == true ? nil : golden.string("lora")
        var files = TrainingFiles(try .init(model: Reference.path("models/\(model)")))
        if golden.string("model")?.contains("tiny-klein-f32") == true {
            files.weights[.transformer] = [
                Reference.path("models/tiny-klein-f32/transformer")
            ]
        }
        parts = try TrainingParts(files, device: .cpu, dtype: golden.dtype)
        transformer = try #require(parts.transformer).model
        if let streaming { parts.stream(streaming) }
        weights = TrainableWeights(parts)
        encoder = SampleEncoder(parts)
        if let lora {
            let blocks = transformer.configuration.singleBlockCount
            let targets =
                "to_q,to_k,to_v,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out,linear_in,"
                + "linear_out,to_qkv_mlp_proj"
                + (0..<blocks).map { ",single_transformer_blocks.\($0).attn.to_out" }.joined()
            let file = try LoRAFile(path: Reference.path(lora))
            try weights.addAdapters(
                to: TrainableModule("dit", option: ""), targets: LoRATargets(targets),
                rank: ReferenceTraining.rank(of: file.path), seed: 1)
            let (unused, absent) = try weights.load(file)
            #expect(unused.isEmpty && absent.isEmpty)
        } else {
            try weights.train(TrainableModule("dit", option: ""))
        }
    }

    /// The sample that all goldens train on.
    func sample(_ golden: Golden) throws -> EncodedSample {
        let image = try Image(contentsOf: Reference.path("inputs/landscape.png"))
        let sizing = try ImageSizing(
            height: golden.integer("height"), width: golden.integer("width"))
        return try encoder(
            TrainingItem(
                row: 0, image: sizing.fitted(image, path: ""),
                prompt: #require(golden.string("prompt"))))
    }

    func tokens(_ grid: Tensor) throws -> Tensor {
        try grid.reshaped([1, grid.size(1), -1]).transposed(1, 2)
    }

    func gradient(_ name: String) throws -> Tensor {
        let parameter = try #require(
            weights.parameters.first { $0.name == "pipe.dit." + name }, "\(name)")
        return try #require(try parameter.tensor.gradient(), "\(name)")
    }

    func backward(_ golden: Golden, recomputing: ActivationCheckpointing?) throws -> Tensor {
        let sample = try sample(golden)
        try golden.expectInput("input_latents", of: tokens(sample.latents))
        let seed = try #require(golden.integer("torch_seed"))
        let draws = try NoiseSampler(seed: UInt64(seed), order: .torch)
        try draws.passInitialNoise(like: sample.latents)
        return try withGradients {
            var objective = FlowMatching(transformer: transformer, levels: try NoiseLevels())
            objective.checkpointing = recomputing
            let noised = try objective.draw(sample, from: draws)
            try golden.expectInput("noise", of: noised.noise)
            #expect(Double(noised.level.timestep) == golden.number("timestep"))
            let weight = try #require(golden.number("weight"))
            #expect(abs(Double(noised.level.weight) - weight) < 1e-6)
            let loss = try objective.loss(SampleBatch([sample]), [noised])
            try loss.backward()
            return try loss.detached()
        }
    }

    func expectGradients(_ golden: Golden, recomputing: ActivationCheckpointing?) throws {
        let loss = try backward(golden, recomputing: recomputing)
        try golden.expect(loss.reshaped([1]), "loss")
        try expectNorms(golden, "grad_norms")
        for key in golden.outputs where key.hasPrefix("grad.") {
            try golden.expect(gradient(String(key.dropFirst(5))), key)
        }
    }

    func expectNorms(_ golden: Golden, _ key: String) throws {
        let names =
            golden.parameters["parameter_names"] as? [String]
            ?? weights.parameters.map { String($0.name.dropFirst("pipe.dit.".count)) }.sorted()
        let norms = try names.map { name in
            Float(
                try gradient(name).to(dtype: .float32).square().sum().item().squareRoot())
        }
        try golden.expect(Tensor.from(norms), key)
    }

    static func variant(_ label: String, _ golden: Golden) throws {
        let run = try TrainingCase(
            golden, isFull: true, model: label == "guided" ? "tiny-dev" : "tiny-klein")
        var sample = try run.sample(golden)
        if label == "range" {
            sample.extras.minTimestepBoundary = 0.25
            sample.extras.maxTimestepBoundary = 0.5
        }
        if label == "edit" {
            var item = TrainingItem(
                row: 1, image: try Image(contentsOf: Reference.path("inputs/landscape.png")),
                prompt: try #require(golden.string("prompt")))
            item.editImages = [try Image(contentsOf: Reference.path("inputs/square.png"))]
            let sizing = try ImageSizing(
                height: golden.integer("height"), width: golden.integer("width"))
            item.image = try sizing.fitted(item.image, path: "")
            sample = try run.encoder(item)
        }
        try golden.expectInput("\(label).input_latents", of: run.tokens(sample.latents))
        let draws = try NoiseSampler(seed: ReferenceTraining.seed(plus: 2), order: .torch)
        try draws.passInitialNoise(like: sample.latents)
        let loss = try withGradients {
            let objective = FlowMatching(transformer: run.transformer, levels: try NoiseLevels())
            let noised = try objective.draw(sample, from: draws)
            try golden.expectInput("\(label).noise", of: noised.noise)
            let loss = try objective.loss(SampleBatch([sample]), [noised])
            try loss.backward()
            return loss
        }
        try golden.expect(loss.detached().reshaped([1]), "\(label).loss")
        try run.expectNorms(golden, "\(label).grad_norms")
        try golden.expect(
            run.gradient("x_embedder.weight"), "\(label).grad.x_embedder.weight")
    }
}

extension Golden {
    /// Checks that what was made here is what the reference started from.
    func expectInput(
        _ key: String, of found: Tensor, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let expected = try input(key)
        let verdict = try Tolerance(stage: "vae", dtype: dtype).verdict(on: found, expected)
        #expect(verdict.passes, "\(name): in.\(key): \(verdict)", sourceLocation: sourceLocation)
    }
}
