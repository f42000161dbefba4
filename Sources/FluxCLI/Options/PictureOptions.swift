public import ArgumentParser
public import Flux2
import Torch

/// What the picture is made with; names and defaults are DiffSynth-Studio's.
struct PictureOptions: ParsableArguments {
    @Option(help: "What the picture shall not show; used when --cfg-scale is not 1.")
    var negativePrompt = ""

    @Option(help: "Text tokens that prompts are cut or padded to; the model's own when absent.")
    var t5SequenceLength: Int?

    @Option(help: "Classifier-free guidance; 1 is off.")
    var cfgScale: Double?

    @Option(help: "Guidance as an input of the model (dev only).")
    var embeddedGuidance = 4.0

    @Option(help: "Pixels, rounded up to a multiple of 16.")
    var height = 1024

    @Option(help: "Pixels, rounded up to a multiple of 16.")
    var width = 1024

    @Option(help: "Seed of the noise; drawn and told when absent.")
    var seed: UInt64?

    @Option(help: "Where noise is drawn; another kind of device gives another picture.")
    var randDevice = Device.cpu

    @Option(
        name: [.long, .customLong("num-inference-steps")],
        help: "Denoising steps; the model's preset when absent, else 30.")
    var steps: Int?

    @Option(
        help: """
            Whose habits to follow where the references differ: diffsynth, diffusers or bfl \
            (words around the prompt, fitting of references, rounding).
            """)
    var parity = Parity.diffsynth

    /// Completes what was asked for with the model's preset and a seed.
    func request(
        _ prompt: String, for files: ModelFiles, _ report: Reporter
    ) throws -> GenerationRequest {
        var request = GenerationRequest(
            prompt: prompt, seed: seed ?? GenerationRequest.anySeed())
        request.negativePrompt = negativePrompt
        request.textLength = t5SequenceLength
        request.embeddedGuidance = embeddedGuidance
        request.height = height
        request.width = width
        request.randomDevice = randDevice
        let preset = files.preset
        request.steps = steps ?? preset?.steps ?? request.steps
        request.cfgScale = cfgScale ?? preset?.cfgScale ?? request.cfgScale
        request.parity = parity
        // Before pictures are read, so that their sizes can be compared with a sound one.
        try request.validate()
        tell(request, files, report)
        return request
    }

    private func tell(_ request: GenerationRequest, _ files: ModelFiles, _ report: Reporter) {
        if let notice = files.notice { report.notice(notice) }
        let taken = [
            steps == nil ? "\(request.steps) steps" : nil,
            cfgScale == nil ? "cfg-scale \(request.cfgScale)" : nil,
        ].compactMap(\.self)
        if let preset = files.preset, !taken.isEmpty {
            report.notice("preset '\(preset.name)': \(taken.joined(separator: ", "))")
        }
        let size = request.roundedSize
        if size != (height, width) {
            report.notice(
                "\(width)x\(height) is rounded up to \(size.width)x\(size.height), "
                    + "multiples of 16")
        }
        if files.preset?.steps == 4 && request.cfgScale != 1 {
            report.notice("a distilled model gains nothing from --cfg-scale \(request.cfgScale)")
        }
        if seed == nil { report.notice("seed \(request.seed)") }
    }
}

extension Parity: ExpressibleByArgument {}
