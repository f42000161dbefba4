public import ArgumentParser
public import Flux2
import Torch

/// What most images are made with besides a prompt.
struct BasicImageOptions: ParsableArguments {
    @Option(help: "Seed of the noise. -1, or none given, draws one and prints it.")
    var seed: Seed?

    @Option(help: "Pixels, rounded up to a multiple of 16. Default: the model's preset, else 1024.")
    var height: Int?

    @Option(help: "Pixels, rounded up to a multiple of 16. Default: the model's preset, else 1024.")
    var width: Int?

    @Option(
        name: [.long, .customLong("num-inference-steps")],
        help: "Denoising steps. Default: the model's preset, else 30.")
    var steps: Int?
}

/// What else an image is made with.
struct ImageDetailOptions: ParsableArguments {
    @Option(help: "What the image must not show; used when --cfg-scale is not 1.")
    var negativePrompt: String?

    @Option(help: "Classifier-free guidance; 1 is off.")
    var cfgScale: Double?

    @Option(help: "Guidance embedding, of dev only. Default: 4.")
    var embeddedGuidance: Double?

    @Option(
        name: [.customLong("text-length"), .customLong("t5-sequence-length")],
        help: "Text tokens that prompts are cut or padded to. Default: the model's own.")
    var t5SequenceLength: Int?

    @Option(
        name: [.customLong("first-block-cache"), .customLong("step-cache")],
        help: """
            First-block cache: the share by which the first block's output may drift before the other \
            blocks are recomputed. 0.1 to 0.3 suit models of 30 to 50 steps. Default: every step \
            is computed.
            """)
    var stepCache: Double?

    @Option(
        help: "Device that noise is drawn on; another kind gives another image. Default: cpu.")
    var randDevice: Device?

    @Option(
        help: """
            Reference whose habits to follow where they differ: diffsynth, diffusers or bfl. They \
            concern chat templates, resizing of reference images, and rounding. Default: diffsynth.
            """)
    var parity: Parity?
}

/// What the image is made with; names and defaults are DiffSynth-Studio's.
@dynamicMemberLookup
struct ImageOptions: ParsableArguments {
    @OptionGroup(title: "Basics") var basics: BasicImageOptions
    @OptionGroup(title: "Image") var details: ImageDetailOptions

    subscript<Value>(dynamicMember path: WritableKeyPath<BasicImageOptions, Value>) -> Value {
        get { basics[keyPath: path] }
        set { basics[keyPath: path] = newValue }
    }

    /// Completes what was asked for with the model's preset and a seed.
    func request(
        _ prompt: String, for files: ModelFiles, _ report: Reporter
    ) throws -> GenerationRequest {
        var request = GenerationRequest(
            prompt: prompt, seed: GenerationRequest.anySeed())
        let preset = files.preset
        request.height = preset?.height ?? request.height
        request.width = preset?.width ?? request.width
        request.steps = preset?.steps ?? request.steps
        request.cfgScale = preset?.cfgScale ?? request.cfgScale
        change(&request)
        // Before images are read, so that their sizes can be compared with a sound one.
        try request.validate()
        tell(request, files, report)
        return request
    }

    /// Puts what is given in the place of what a request says.
    func change(_ request: inout GenerationRequest) {
        request.negativePrompt = details.negativePrompt ?? request.negativePrompt
        request.textLength = details.t5SequenceLength ?? request.textLength
        request.embeddedGuidance = details.embeddedGuidance ?? request.embeddedGuidance
        request.randomDevice = details.randDevice ?? request.randomDevice
        request.height = basics.height ?? request.height
        request.width = basics.width ?? request.width
        if let seed = basics.seed { request.seed = seed.value ?? GenerationRequest.anySeed() }
        request.steps = basics.steps ?? request.steps
        request.cfgScale = details.cfgScale ?? request.cfgScale
        request.stepCache = details.stepCache ?? request.stepCache
        request.parity = details.parity ?? request.parity
        if details.embeddedGuidance != nil { request.named.insert(.embeddedGuidance) }
        if basics.seed?.value != nil { request.named.insert(.seed) }
    }

    /// Refuses numbers out of range before a model is looked for.
    func check() throws {
        var request = GenerationRequest(prompt: "", seed: 0)
        change(&request)
        try request.validate()
    }

    /// The options that are given, as they are written.
    var changes: [String] {
        let given: [(String, Bool)] = [
            ("--negative-prompt", details.negativePrompt != nil),
            ("--text-length", details.t5SequenceLength != nil),
            ("--cfg-scale", details.cfgScale != nil),
            ("--embedded-guidance", details.embeddedGuidance != nil),
            ("--height", basics.height != nil),
            ("--width", basics.width != nil), ("--seed", basics.seed != nil),
            ("--rand-device", details.randDevice != nil), ("--steps", basics.steps != nil),
            ("--first-block-cache", details.stepCache != nil), ("--parity", details.parity != nil),
        ]
        return given.filter(\.1).map(\.0)
    }

    private func tell(_ request: GenerationRequest, _ files: ModelFiles, _ report: Reporter) {
        if let notice = files.notice { report.notice(notice) }
        if let remark = files.presetRemark, basics.steps == nil || details.cfgScale == nil {
            report.warn(remark)
        }
        if let preset = files.preset { tell(preset, request, report) }
        let size = request.roundedSize
        if size != (request.height, request.width) {
            report.notice(
                "\(request.width)x\(request.height) is rounded up to "
                    + "\(size.width)x\(size.height), multiples of 16")
        }
        if files.variant?.isDistilled ?? files.isDistilled, request.cfgScale != 1 {
            report.warn("a distilled model gains nothing from --cfg-scale \(request.cfgScale)")
        }
        if basics.seed?.value == nil { report.notice("seed \(request.seed)") }
    }

    private func tell(_ preset: Preset, _ request: GenerationRequest, _ report: Reporter) {
        let takesHeight = basics.height == nil && preset.height != nil
        let takesWidth = basics.width == nil && preset.width != nil
        let taken = [
            takesHeight || takesWidth ? "\(request.width)x\(request.height)" : nil,
            basics.steps == nil ? "\(request.steps) steps" : nil,
            details.cfgScale == nil ? "cfg-scale \(request.cfgScale)" : nil,
        ].compactMap(\.self)
        guard !taken.isEmpty else { return }
        report.notice("preset '\(preset.name)': \(taken.joined(separator: ", "))")
    }
}

extension Parity: ExpressibleByArgument {}
