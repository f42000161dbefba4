import ArgumentParser
import Domains
import Flux2
import FluxModels
import Foundation
import Imaging
import Torch

/// How an image was made, as it is stored in the image and printed by `--json`.
struct GenerationMetadata: Codable {
    var prompt: String
    var negativePrompt: String
    var seed: UInt64
    var randDevice: String
    var steps: Int
    var stepCache: Double?
    var cfgScale: Double
    var embeddedGuidance: Double
    var height: Int
    var width: Int
    /// The size asked for, where it was rounded up: the schedule follows it.
    var requestedHeight: Int?
    var requestedWidth: Int?
    var textLength: Int?
    var parity: String?
    var denoisingStrength: Double?
    var resizesEditImages: Bool?
    /// Of an image in a format that loses detail, where one was asked for.
    var quality: Int?
    var inpaintBlurSize: Int?
    var inpaintBlurSigma: Double?
    var tiling: String?
    var loraMode: String?
    /// LoRA files with weights, and how many files of other kinds were given.
    var loras: [String]?
    var inputs: [String: Int]?
    var model: String
    var dtype: String
    var device: String
    /// How weights are kept, by component, where not as their files have them.
    var weights: [String: String]?
    /// With which kernels at most the processor computed; not for other devices.
    var kernels: String?
    /// The step of the training that the image shows.
    var trainingStep: Int?
    var version = Version.current

    init(
        _ request: GenerationRequest, model: String, dtype: DType, device: Device,
        weights storage: [Component: WeightStorage]
    ) {
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
        if device.kind == .cpu { kernels = KernelSet.current.rawValue }
        noteUnusual(request)
        let quantized = storage.filter { $0.value != .asStored }
        guard !quantized.isEmpty else { return }
        weights = Dictionary(
            quantized.map { ($0.key.rawValue, $0.value.name) }, uniquingKeysWith: { $1 })
    }

    /// What is stored only where it is not as usual.
    private mutating func noteUnusual(_ request: GenerationRequest) {
        if request.height != height { requestedHeight = request.height }
        if request.width != width { requestedWidth = request.width }
        textLength = request.textLength
        stepCache = request.stepCache
        if request.parity != .diffsynth { parity = request.parity.rawValue }
        if request.denoisingStrength != 1 { denoisingStrength = request.denoisingStrength }
        if !request.resizesEditImages { resizesEditImages = false }
        inpaintBlurSize = request.inpainting?.blur?.size
        inpaintBlurSigma = request.inpainting?.blur?.sigma
        tiling = TilingOptions.text(request.tiling)
        if !request.loras.isEmpty {
            loraMode = request.loraMode.rawValue
            loras = Self.names(of: request.loras)
        }
        let counts = Self.inputs(request)
        if !counts.isEmpty { inputs = counts }
    }

    /// LoRA files with side and weight, without where they are.
    static func names(of loras: [LoRAUse]) -> [String] {
        loras.map {
            "\($0.branch?.rawValue ?? "both") "
                + "\(URL(fileURLWithPath: $0.path).lastPathComponent):\($0.strength)"
        }
    }

    /// How many images and tensors of each kind a request has.
    static func inputs(_ request: GenerationRequest) -> [String: Int] {
        [
            "input_image": request.inputImage == nil ? 0 : 1,
            "edit_image": request.editImages.count,
            "inpaint_mask": request.inpainting == nil ? 0 : 1,
            "initial_noise": request.initialNoise == nil ? 0 : 1,
            "extra_text_embedding": request.extras.textEmbedding == nil ? 0 : 1,
            "negative_extra_text_embedding": request.negativeExtras.textEmbedding == nil ? 0 : 1,
            "kv_cache": request.extras.caches.count,
            "negative_kv_cache": request.negativeExtras.caches.count,
        ].filter { $0.value > 0 }
    }

    /// What goes into the image's file.
    func metadata() throws -> [String: String] {
        ["flux2": try JSON.line(self), "Software": "flux2 \(Version.current)"]
    }
}

enum JSON {
    /// An object with what was warned of as its last field, `warnings`.
    static func line(_ value: some Encodable, warnings: [String]) throws -> String {
        try line(WithWarnings(value: value, warnings: warnings))
    }

    /// An object and one more field.
    private struct WithWarnings<Value: Encodable>: Encodable {
        let value: Value
        let warnings: [String]

        enum CodingKeys: CodingKey { case warnings }

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(warnings, forKey: .warnings)
        }
    }

    /// An array of objects, each with what was warned of.
    static func lines(_ values: [some Encodable], warnings: [String] = []) throws -> String {
        try line(values.map { WithWarnings(value: $0, warnings: warnings) })
    }

    /// One line with the keys in DiffSynth's spelling, in a fixed order.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension GenerationMetadata {
    /// The settings that an image carries.
    ///
    /// - Throws: `ValidationError` for an image that this program did not write.
    init(ofImage path: String) throws {
        guard let text = try Image.readMetadata(of: path)["flux2"] else {
            throw ValidationError("\(path): carries no settings of flux2")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(GenerationMetadata.self, from: Data(text.utf8))
            try checkNumbers()
        } catch let error as NumberError {
            throw ValidationError("\(path): in its settings, \(error)")
        } catch let error as DecodingError {
            throw ValidationError("\(path): its settings cannot be read\(Self.place(error))")
        }
    }

    /// Which field an error is about.
    private static func place(_ error: DecodingError) -> String {
        let context: DecodingError.Context? =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context),
                .dataCorrupted(let context), .keyNotFound(_, let context):
                context
            @unknown default: nil
            }
        guard case .keyNotFound(let key, _) = error else {
            return context?.codingPath.last.map { ": '\($0.stringValue)' is no value of its" } ?? ""
        }
        return ": '\(key.stringValue)' is missing"
    }

    /// - Throws: `NumberError` naming a field that no image can have been made with.
    private func checkNumbers() throws {
        func check(_ value: Int?, _ name: String, _ setting: NumericSetting) throws {
            if let value { try setting.domain.check(value, "'\(name)'") }
        }
        func check(_ value: Double?, _ name: String, _ setting: NumericSetting) throws {
            if let value { try setting.domain.check(value, "'\(name)'") }
        }
        try check(height, "height", .height)
        try check(width, "width", .width)
        try check(requestedHeight, "requested_height", .height)
        try check(requestedWidth, "requested_width", .width)
        try check(steps, "steps", .steps)
        try check(textLength, "text_length", .textLength)
        try check(inpaintBlurSize, "inpaint_blur_size", .inpaintBlurSize)
        try check(inpaintBlurSigma, "inpaint_blur_sigma", .inpaintBlurSigma)
        try check(stepCache, "step_cache", .stepCache)
        try check(cfgScale, "cfg_scale", .cfgScale)
        try check(embeddedGuidance, "embedded_guidance", .embeddedGuidance)
        try check(denoisingStrength, "denoising_strength", .denoisingStrength)
    }

    /// The request without images, tensors and LoRAs, which are not stored.
    func request() throws -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt, seed: seed)
        request.negativePrompt = negativePrompt
        request.randomDevice = try known(Device(name: randDevice), "rand_device", randDevice)
        request.steps = steps
        request.stepCache = stepCache
        request.cfgScale = cfgScale
        request.embeddedGuidance = embeddedGuidance
        request.height = requestedHeight ?? height
        request.width = requestedWidth ?? width
        request.textLength = textLength
        if let parity { request.parity = try known(Parity(rawValue: parity), "parity", parity) }
        return request
    }

    /// The kernels that the image was made with; older ones name none, and were made by libtorch.
    func kernelSet() throws -> KernelSet {
        guard let kernels else { return .reference }
        return try known(KernelSet(rawValue: kernels), "set of kernels", kernels)
    }

    /// How weights were kept.
    func memory() throws -> MemorySettings {
        var memory = MemorySettings()
        for (part, name) in weights ?? [:] {
            let component = try known(Component(rawValue: part), "part of a model", part)
            memory.storage[component] = try known(
                WeightStorage(name: name), "way to keep weights", name)
        }
        return memory
    }

    func known<Value>(_ value: Value?, _ name: String, _ text: String) throws -> Value {
        guard let value else { throw ValidationError("'\(text)' is no \(name) of this program") }
        return value
    }
}
