internal import Imaging
internal import Tokenization

/// Whose habits a generation follows where the reference implementations differ.
///
/// All evaluate the same networks; they differ in the words around a prompt, in how reference
/// images are made to fit, and in where they round.
public enum Parity: String, Hashable, Sendable, CaseIterable, Codable {
    /// DiffSynth-Studio: the default of this package.
    case diffsynth
    /// Hugging Face's diffusers.
    case diffusers
    /// Black Forest Labs' own repository.
    case bfl
}

extension Parity {
    var systemMessage: PromptFormat.SystemMessage { self == .diffsynth ? .diffsynth : .bfl }

    /// Whether Euler steps are taken in float32 and rounded once.
    var stepsIn32Bits: Bool { self == .diffusers }

    /// Whether the schedule is shifted by the tokens there are, not by those of the size asked for.
    var countsRealTokens: Bool { self != .diffsynth }

    /// Whether the noise level is rounded before it is multiplied by 1000 instead of after.
    var roundsSigma: Bool { self == .bfl }

    /// How numbers become 8-bit pixels.
    package enum PixelRounding {
        /// Scaled in the type of the numbers, cut off.
        case truncate
        /// Scaled in float32, cut off.
        case truncate32
        /// Scaled in float32, to the nearest.
        case nearest
    }

    var pixelRounding: PixelRounding {
        switch self {
        case .diffsynth: .truncate
        case .diffusers: .nearest
        case .bfl: .truncate32
        }
    }
}
