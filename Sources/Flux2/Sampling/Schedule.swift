internal import Domains
internal import Foundation
internal import Torch

/// The noise levels of a run, from the first evaluation to the last.
///
/// - Source: `FlowMatchScheduler` with template FLUX.2, DiffSynth-Studio.
public struct Schedule: Hashable, Sendable {
    /// Noise levels σ, falling from at most 1; after the last one comes 0.
    public let sigmas: [Float]
    /// 1000 σ, as the transformer receives them.
    public let timesteps: [Float]

    /// The schedule shift of training, whatever the size of the image.
    public static let trainingShift = 0.8

    /// Builds the schedule for inference.
    ///
    /// - Parameters:
    ///   - steps: evaluations of the transformer, at least 1.
    ///   - strength: 1 starts from pure noise; less starts at a lower level, with as many steps.
    ///   - tokens: tokens of the image, which decide how far levels are shifted up.
    public init(steps: Int, strength: Double = 1, tokens: Int) throws {
        try self.init(
            steps: steps, strength: strength, shift: Self.shift(tokens: tokens, steps: steps))
    }

    /// Builds the schedule with a given shift.
    public init(steps: Int, strength: Double = 1, shift: Double) throws {
        try NumericSetting.steps.require(steps)
        try NumericSetting.denoisingStrength.require(strength)
        let lowest = 1 / Double(steps)
        let start = lowest + (1 - lowest) * strength
        // As tensors, so that every rounding to 32 bits is the reference's.
        let even = try Tensor.linspace(start, lowest, count: steps)
        let factor = exp(shift)
        let shifted = try ((even.power(-1) - 1) + factor).power(-1) * factor
        sigmas = try shifted.values()
        timesteps = try (shifted * 1000).values()
    }

    /// How far the levels of an image of so many tokens are shifted ("mu").
    ///
    /// - Source: `compute_empirical_mu`, black-forest-labs/flux2.
    public static func shift(tokens: Int, steps: Int) -> Double {
        let count = Double(tokens)
        let at200 = 0.00016927 * count + 0.45666666
        guard tokens <= 4300 else { return at200 }
        let at10 = 8.73809524e-05 * count + 1.89833333
        let slope = (at200 - at10) / 190
        return slope * Double(steps) + (at200 - 200 * slope)
    }

    /// The number of tokens that decides the shift, from the size as it was asked for.
    ///
    /// DiffSynth evaluates this before it rounds the sides up, from left to right.
    public static func tokens(height: Int, width: Int) -> Int { height / 16 * width / 16 }

    /// The step whose timestep is nearest.
    public func index(ofTimestep timestep: Float) -> Int {
        timesteps.indices.min { abs(timesteps[$0] - timestep) < abs(timesteps[$1] - timestep) } ?? 0
    }

    /// The noise level after a step, 0 after the last.
    public func sigma(after step: Int) -> Float {
        step + 1 < sigmas.count ? sigmas[step + 1] : 0
    }
}

extension Schedule {
    /// The weights of the training loss per timestep: a bell around the middle.
    ///
    /// - Source: `set_training_weight`, DiffSynth-Studio.
    public func trainingWeights() throws -> [Float] {
        let levels = try Tensor.from(sigmas) * 1000
        let bell = try (((levels - 500) / 1000).power(2) * -2).exp()
        let raised = try bell - bell.minimum()
        var weights = try raised * (raised.sum().power(-1) * 1000)
        if timesteps.count != 1000 {
            weights = try weights * (Double(timesteps.count) / 1000)
            if timesteps.count > 1 { weights = try weights + weights.slice(1..<2, along: 0) }
        }
        return try weights.values()
    }
}
