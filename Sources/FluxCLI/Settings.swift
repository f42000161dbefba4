import Flux2
import Foundation
import Torch

/// How a picture was made, as it is stored in the picture and printed by `--json`.
struct Settings: Codable {
    var prompt: String
    var negativePrompt: String
    var seed: UInt64
    var randDevice: String
    var steps: Int
    var cfgScale: Double
    var embeddedGuidance: Double
    var height: Int
    var width: Int
    var model: String
    var dtype: String
    var device: String
    var version = Version.current

    init(_ request: GenerationRequest, model: String, dtype: DType, device: Device) {
        prompt = request.prompt
        negativePrompt = request.negativePrompt
        seed = request.seed
        randDevice = request.randomDevice.description
        steps = request.steps
        cfgScale = request.cfgScale
        embeddedGuidance = request.embeddedGuidance
        (height, width) = request.roundedSize
        // Where models are kept on this machine is nobody else's business.
        self.model = URL(fileURLWithPath: model).lastPathComponent
        self.dtype = dtype.name
        self.device = device.description
    }

    /// What goes into the picture's file.
    func metadata() throws -> [String: String] {
        ["flux2": try JSON.line(self), "Software": "flux2 \(Version.current)"]
    }
}

enum JSON {
    /// One line with the keys in DiffSynth's spelling, in a fixed order.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
