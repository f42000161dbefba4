public import ArgumentParser
public import Flux2
import Torch

/// What the picture is made with; names and defaults are DiffSynth-Studio's.
struct PictureOptions: ParsableArguments {
    @Option(help: "What the picture shall not show; used when --cfg-scale is not 1.")
    var negativePrompt: String?

    @Option(help: "Text tokens that prompts are cut or padded to; the model's own when absent.")
    var t5SequenceLength: Int?

    @Option(help: "Classifier-free guidance; 1 is off.")
    var cfgScale: Double?

    @Option(help: "Guidance as an input of the model (dev only); 4 when absent.")
    var embeddedGuidance: Double?

    @Option(
        help: "Pixels, rounded up to a multiple of 16; the model's preset when absent, else 1024.")
    var height: Int?

    @Option(
        help: "Pixels, rounded up to a multiple of 16; the model's preset when absent, else 1024.")
    var width: Int?

    @Option(help: "Seed of the noise; drawn and told when absent or -1.")
    var seed: Seed?

    @Option(
        help: "Where noise is drawn, cpu when absent; another kind of device gives another picture."
    )
    var randDevice: Device?

    @Option(
        name: [.long, .customLong("num-inference-steps")],
        help: "Denoising steps; the model's preset when absent, else 30.")
    var steps: Int?

    @Option(
        help: """
            Skip most of a step's work, and take over what an earlier step came to, while steps differ \
            from that by less than this share, added up; 0.1 to 0.3 suit models of 30 to 50 steps. All \
            steps are computed when absent.
            """)
    var stepCache: Double?

    @Option(
        help: """
            Whose habits to follow where the references differ: diffsynth, diffusers or bfl \
            (words around the prompt, fitting of references, rounding); diffsynth when absent.
            """)
    var parity: Parity?

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
        // Before pictures are read, so that their sizes can be compared with a sound one.
        try request.validate()
        tell(request, files, report)
        return request
    }

    /// Puts what is given in the place of what a request says.
    func change(_ request: inout GenerationRequest) {
        request.negativePrompt = negativePrompt ?? request.negativePrompt
        request.textLength = t5SequenceLength ?? request.textLength
        request.embeddedGuidance = embeddedGuidance ?? request.embeddedGuidance
        request.randomDevice = randDevice ?? request.randomDevice
        request.height = height ?? request.height
        request.width = width ?? request.width
        if let seed { request.seed = seed.value ?? GenerationRequest.anySeed() }
        request.steps = steps ?? request.steps
        request.cfgScale = cfgScale ?? request.cfgScale
        request.stepCache = stepCache ?? request.stepCache
        request.parity = parity ?? request.parity
        if embeddedGuidance != nil { request.named.insert(.embeddedGuidance) }
        if seed?.value != nil { request.named.insert(.seed) }
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
            ("--negative-prompt", negativePrompt != nil),
            ("--t5-sequence-length", t5SequenceLength != nil), ("--cfg-scale", cfgScale != nil),
            ("--embedded-guidance", embeddedGuidance != nil), ("--height", height != nil),
            ("--width", width != nil), ("--seed", seed != nil),
            ("--rand-device", randDevice != nil), ("--steps", steps != nil),
            ("--step-cache", stepCache != nil), ("--parity", parity != nil),
        ]
        return given.filter(\.1).map(\.0)
    }

    private func tell(_ request: GenerationRequest, _ files: ModelFiles, _ report: Reporter) {
        if let notice = files.notice { report.notice(notice) }
        if let remark = files.presetRemark, steps == nil || cfgScale == nil { report.warn(remark) }
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
        if seed?.value == nil { report.notice("seed \(request.seed)") }
    }

    private func tell(_ preset: Preset, _ request: GenerationRequest, _ report: Reporter) {
        let takesHeight = height == nil && preset.height != nil
        let takesWidth = width == nil && preset.width != nil
        let taken = [
            takesHeight || takesWidth ? "\(request.width)x\(request.height)" : nil,
            steps == nil ? "\(request.steps) steps" : nil,
            cfgScale == nil ? "cfg-scale \(request.cfgScale)" : nil,
        ].compactMap(\.self)
        guard !taken.isEmpty else { return }
        report.notice("preset '\(preset.name)': \(taken.joined(separator: ", "))")
    }
}

extension Parity: ExpressibleByArgument {}
