public import Flux2
internal import Foundation
internal import FluxModels
internal import Torch

/// What a recipe has to know of a model.
public struct RecipeModel: Sendable {
    /// As `--model` names it.
    public let name: String
    /// The published model that it is.
    public let variant: Variant?
    /// Whether it was distilled to few steps.
    public let isDistilled: Bool
    /// Pixels of the images that it draws, at most a megapixel.
    public let area: Int
    private let preset: Preset?
    let transformer: TransformerConfiguration
    let shapes: TensorShapes

    /// Looks at the headers of a model that is on this machine.
    ///
    /// - Throws: `ModelError` for components that do not belong together.
    public init(name: String, files: ModelFiles) throws {
        let parts = try TrainingParts(TrainingFiles(files), device: .cpu, dtype: .bfloat16)
        guard let part = parts.transformer else {
            preconditionFailure("a model's folder has a transformer")
        }
        self.name = name
        variant = files.variant
        isDistilled = files.variant?.isDistilled ?? files.isDistilled
        area = files.referenceArea
        preset = files.preset
        transformer = part.model.configuration
        shapes = part.parameters.shapes
    }

    /// A published model, which need not be on this machine.
    public init(name: String, _ variant: Variant) {
        self.name = name
        self.variant = variant
        isDistilled = variant.isDistilled
        area = 1024 * 1024
        preset = variant.preset
        transformer = variant.transformer.configuration
        shapes = variant.transformer.shapes
    }

    /// All matrices in blocks: the automatic choice, or by name where they are too small for it.
    var targets: (argument: String, shapes: [[Int]]) {
        let every = #"(single_)?transformer_blocks\..*"#
        for argument in ["", every] {
            guard let keys = try? LoRATargets(argument).keys(among: shapes) else { continue }
            return (argument, keys.compactMap { shapes[$0] })
        }
        return ("", [])
    }

    /// How images are made in between: as is usual for the model.
    var sampling: (steps: Int, scale: Double) {
        if let preset { return (preset.steps, preset.cfgScale) }
        return isDistilled ? (4, 1) : (20, 1)
    }
}
