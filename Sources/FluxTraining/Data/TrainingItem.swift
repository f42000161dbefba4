internal import Domains
internal import Foundation
public import Imaging

/// A row with its images read and made fit.
public struct TrainingItem: Sendable {
    /// The row's number in its metadata, from 0.
    public var row: Int
    /// The image to learn, sides multiples of 16.
    public var image: Image
    /// What it shows.
    public var prompt: String
    /// Images that the prompt refers to, as the data set gives them.
    public var editImages: [Image] = []
    /// What else the objective takes from the row.
    public var extras = SampleExtras()

    /// Puts a sample together.
    public init(row: Int, image: Image, prompt: String) {
        self.row = row
        self.image = image
        self.prompt = prompt
    }
}

extension TrainingItem {
    /// A digest of all that it is encoded from: an image that was changed is another sample, also
    /// under the same name.
    func fingerprint() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let images = ([image] + editImages).map {
            "\($0.width)x\($0.height) \(Digest.of($0.pixels))"
        }
        return Digest.of(
            images + [String(decoding: try encoder.encode(extras), as: UTF8.self), prompt])
    }
}

/// What a row may say beside image and prompt, under the names that `--extra_inputs` takes.
public struct SampleExtras: Hashable, Sendable, Codable {
    /// The seed of the noise that distillation starts from.
    public var seed: Int?
    /// Where that noise is drawn.
    public var randomDevice: String?
    /// Steps of distillation.
    public var inferenceSteps: Int?
    /// The scale with which the image was made; no objective reads it.
    public var cfgScale: Double?
    /// The part of the noise levels to train on: from here, 0 to 1.
    public var minTimestepBoundary: Double?
    /// The part of the noise levels to train on: up to here, 0 to 1.
    public var maxTimestepBoundary: Double?
    /// A factor for the noise.
    public var noiseScale: Double?
    /// Guidance that is embedded; 1 where it is not given.
    public var embeddedGuidance: Double?
    /// Whether references are resized to about a megapixel; true where it is not given.
    public var editImageAutoResize: Bool?

    /// Nothing is said.
    public init() {}
}

extension SampleExtras {
    /// Names of columns that may be asked for, besides those of images.
    public static let names: Set<String> = [
        "seed", "rand_device", "num_inference_steps", "cfg_scale", "min_timestep_boundary",
        "max_timestep_boundary", "noise_scale", "embedded_guidance", "edit_image_auto_resize",
    ]

    /// - Throws: `NumberError` naming what no sample may say.
    func check() throws {
        if let inferenceSteps { try NumericField.inferenceSteps.check(inferenceSteps) }
        for (value, field) in [
            (cfgScale, NumericField.cfgScale), (embeddedGuidance, .embeddedGuidance),
            (minTimestepBoundary, .minTimestepBoundary),
            (maxTimestepBoundary, .maxTimestepBoundary), (noiseScale, .noiseScale),
        ] {
            if let value { try field.check(value) }
        }
    }

    /// Takes a column.
    ///
    /// - Returns: what it must be, where it is something else.
    mutating func take(_ name: String, _ value: MetadataValue) -> String? {
        func number(
            _ keyPath: WritableKeyPath<SampleExtras, Double?>, _ field: NumericField
        ) -> String? {
            self[keyPath: keyPath] = value.number
            return value.number.map(field.domain.contains) == true ? nil : "\(field.domain)"
        }
        func integer(_ keyPath: WritableKeyPath<SampleExtras, Int?>) -> String? {
            self[keyPath: keyPath] = value.integer
            return value.integer == nil ? "a whole number" : nil
        }
        switch name {
        case "seed": return integer(\.seed)
        case "num_inference_steps":
            let domain = NumericField.inferenceSteps.domain
            if let steps = value.integer, !domain.contains(steps) { return "\(domain)" }
            return integer(\.inferenceSteps)
        case "cfg_scale": return number(\.cfgScale, .cfgScale)
        case "min_timestep_boundary": return number(\.minTimestepBoundary, .minTimestepBoundary)
        case "max_timestep_boundary": return number(\.maxTimestepBoundary, .maxTimestepBoundary)
        case "noise_scale": return number(\.noiseScale, .noiseScale)
        case "embedded_guidance": return number(\.embeddedGuidance, .embeddedGuidance)
        case "rand_device":
            randomDevice = value.text
            return value.text == nil ? "a device" : nil
        case "edit_image_auto_resize":
            editImageAutoResize = value.flag
            return value.flag == nil ? "true or false" : nil
        default: return "none of the extra inputs"
        }
    }
}
