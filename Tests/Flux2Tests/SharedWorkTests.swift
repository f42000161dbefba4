@testable import Flux2
import FluxModels
import TestSupport
import Testing
import Torch

@Suite("What the conditional and unconditional passes share", .serialized)
struct SharedWorkTests {
    private let transformer: FluxTransformer
    private let schedule: Schedule

    init() throws {
        transformer = try TinyModel("tiny-klein").transformer()
        schedule = try Schedule(steps: 3, tokens: 24)
    }

    /// Latents of 4 x 6 tokens, a reference of 4 x 4, and two texts of 8.
    private struct Sides {
        let start: Tensor
        let references: Tensor
        let branches: [ConditioningBranch]
    }

    private func sides(_ dtype: DType) throws -> Sides {
        let generator = try Generator(seed: 5)
        func random(_ tokens: Int, _ width: Int) throws -> Tensor {
            try Tensor.randn([1, tokens, width], generator: generator, dtype: dtype)
        }
        let shape = transformer.configuration
        let positions = try Tensor.concatenating(
            [
                Positions.text(8), Positions.grid(rows: 4, columns: 6),
                Positions.grid(rows: 4, columns: 4, time: 10),
            ], along: 0)
        let rotary = try RotaryTable(
            positions: positions, axes: shape.rotaryAxes, theta: shape.rotaryTheta)
        return try Sides(
            start: random(24, shape.latentChannels), references: random(16, shape.latentChannels),
            branches: [0, 1].map { _ in
                try ConditioningBranch(text: random(8, shape.textWidth), rotary: rotary)
            })
    }

    private func input(
        _ latents: Tensor, _ sides: Sides, _ branch: ConditioningBranch, _ step: Int
    ) throws -> TransformerInput {
        let level = try Tensor.from([schedule.timesteps[step]])
            .to(dtype: latents.dtype, device: .cpu)
        return try TransformerInput(
            latents: latents, references: sides.references, text: branch.text,
            sigma: level / 1000, rotary: branch.rotary)
    }

    /// Each side evaluated for itself, with nothing shared between them or kept from step to step.
    private func apart(_ sides: Sides) throws -> Tensor {
        var latents = sides.start
        for (step, sigma) in schedule.sigmas.enumerated() {
            let velocities = try sides.branches.map {
                try transformer(input(latents, sides, $0, step))
            }
            latents = try FlowStep.euler(
                latents,
                velocity: FlowStep.guided(
                    conditional: velocities[0], unconditional: velocities[1], scale: 3),
                from: sigma, to: schedule.sigma(after: step))
        }
        return latents
    }

    @Test(arguments: [DType.bfloat16, .float32])
    func changesNoBit(_ dtype: DType) throws {
        let sides = try sides(dtype)
        let expected = try apart(sides)
        let conditioning = Conditioning(
            conditional: sides.branches[0], unconditional: sides.branches[1],
            references: sides.references, cfgScale: 3, embeddedGuidance: 4)
        for (evaluateInLockstep, sameWeights) in [(false, true), (true, true), (false, false)] {
            var stage = DenoiseStage(transformer: transformer, schedule: schedule)
            stage.evaluatesInLockstep = evaluateInLockstep
            stage.branchesShareWeights = sameWeights
            let found = try stage(
                sides.start, given: conditioning, onStep: { _ in }, onEvent: { _ in })
            #expect(try found.isEqual(to: expected))
        }
    }

    @Test func isNotComputedAgain() throws {
        let sides = try sides(.float32)
        var input = try input(sides.start, sides, sides.branches[0], 0)
        func computed() throws -> Set<String> {
            var modules: Set<String> = []
            _ = try transformer(input) { module, _ in modules.insert(module) }
            return modules
        }
        let all = try computed()
        input.shared = try transformer.sharedInput(for: input)
        input.embeddedText = try transformer.embed(text: sides.branches[0].text)
        #expect(
            try all.subtracting(computed()) == [
                "time_guidance_embed", "x_embedder", "context_embedder",
                "double_stream_modulation_img.linear", "double_stream_modulation_txt.linear",
                "single_stream_modulation.linear",
            ])
    }
}
