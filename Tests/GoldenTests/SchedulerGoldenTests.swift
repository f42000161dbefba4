import Flux2
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Schedules and steps reproduce the reference")
    struct Scheduler {
        @Test func everyCaseAgrees() throws {
            try runGoldens("scheduler") { golden in
                switch golden.name {
                case "inference": try inference(golden)
                case "mu": try shifts(golden)
                case "training": try training(golden)
                default: try operations(golden)
                }
            }
        }

        /// Cases are named `s<steps>_<height>x<width>_d<strength>`.
        private func inference(_ golden: Golden) throws {
            for output in golden.outputs where output.hasSuffix(".sigmas") {
                let name = String(output.dropLast(".sigmas".count))
                let match = try #require(
                    try /s(\d+)_(\d+)x(\d+)_d([\d.]+)/.wholeMatch(in: name)?.output)
                let (steps, height) = try (#require(Int(match.1)), #require(Int(match.2)))
                let (width, strength) = try (#require(Int(match.3)), #require(Double(match.4)))
                let schedule = try Schedule(
                    steps: steps, strength: strength,
                    tokens: Schedule.tokens(height: height, width: width))
                try golden.expect(.from(schedule.sigmas), name + ".sigmas")
                try golden.expect(.from(schedule.timesteps), name + ".timesteps")
            }
        }

        private func shifts(_ golden: Golden) throws {
            #expect(!golden.json.isEmpty)
            for (name, value) in golden.json where name != "about" {
                let match = try #require(try /s(\d+)_len(\d+)/.wholeMatch(in: name)?.output)
                let (steps, tokens) = try (#require(Int(match.1)), #require(Int(match.2)))
                let expected = try #require(value as? Double)
                #expect(abs(Schedule.shift(tokens: tokens, steps: steps) - expected) < 1e-12)
            }
        }

        private func training(_ golden: Golden) throws {
            let full = try Schedule(steps: 1000, shift: Schedule.trainingShift)
            let weights = try full.trainingWeights()
            try golden.expect(.from(full.sigmas), "sigmas")
            try golden.expect(.from(full.timesteps), "timesteps")
            try golden.expect(.from(weights), "weights")
            let picks: [Int64] = try golden.input("timestep_ids").values()
            for (name, dtype) in [("f32", DType.float32), ("bf16", .bfloat16)] {
                let steps: [Float] = try Tensor.from(picks.map { full.timesteps[Int($0)] })
                    .to(dtype: dtype).values()
                let found = steps.map { weights[full.index(ofTimestep: $0)] }
                try golden.expect(.from(found), "weight_at_\(name)")
            }
            for output in golden.outputs where output.hasSuffix(".weights") {
                let name = String(output.dropLast(".weights".count))
                let steps = try #require(Int(name.dropFirst("plain".count)))
                let plain = try Schedule(steps: steps, shift: Schedule.trainingShift)
                try golden.expect(.from(plain.sigmas), name + ".sigmas")
                try golden.expect(.from(plain.timesteps), name + ".timesteps")
                try golden.expect(.from(plain.trainingWeights()), name + ".weights")
            }
        }

        private func operations(_ golden: Golden) throws {
            let steps = try #require(golden.integer("steps"))
            let tokens = try #require(golden.integer("dynamic_shift_len"))
            let strength = try #require(golden.number("denoising_strength"))
            let schedule = try Schedule(steps: steps, strength: strength, tokens: tokens)
            let (sample, noise, velocity) = try (
                golden.input("sample"), golden.input("noise"), golden.input("model_output")
            )
            func step(_ x: Tensor, _ index: Int, in schedule: Schedule) throws -> Tensor {
                try FlowStep.euler(
                    x, velocity: velocity, from: schedule.sigmas[index],
                    to: schedule.sigma(after: index))
            }
            for index in 0..<steps {
                let sigma = schedule.sigmas[index]
                try golden.expect(step(sample, index, in: schedule), "step\(index)")
                try golden.expect(
                    FlowStep.noised(sample, noise: noise, sigma: sigma), "add_noise\(index)")
                try golden.expect(
                    FlowStep.velocity(from: sample, to: noise, sigma: sigma),
                    "return_to_timestep\(index)")
            }
            let nearby = schedule.index(ofTimestep: schedule.timesteps[2] + 3)
            try golden.expect(step(sample, nearby, in: schedule), "step_from_nearby_timestep")
            try golden.expect(
                FlowStep.euler(sample, velocity: velocity, from: schedule.sigmas[1], to: 0),
                "step_to_final")
            try golden.expect(FlowStep.target(clean: sample, noise: noise), "training_target")
            let full = try Schedule(steps: steps, tokens: tokens)
            var x = sample
            for index in 0..<steps {
                x = try step(x, index, in: full)
                try golden.expect(x, "euler_chain\(index)")
            }
        }
    }
}
