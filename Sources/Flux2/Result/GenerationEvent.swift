/// What a generation is doing, in order; steps count from 1 and end at the total.
public enum GenerationEvent: Hashable, Sendable {
    /// Where everything will be; the first event.
    case planned(MemoryPlan)
    /// Weights are quantized to 8 bits, once for this machine: so many bytes of so many.
    case converting(component: String, format: String, done: Int, total: Int)
    /// 8-bit weights are kept here from now on.
    case converted(path: String, bytes: Int)
    /// Weights can be used; `bytes` counts mapped ones too.
    ///
    /// Each run tells of the transformer, and of the text encoder when that is loaded.
    case loaded(component: String, bytes: Int)
    /// The prompt fills `tokens` of `limit` places; what did not fit was dropped. One that is
    /// remembered needs no encoder.
    case readPrompt(tokens: Int, limit: Int, wasTruncated: Bool, isRemembered: Bool)
    /// A LoRA changes so many weights; names of the file that the model does not have are unmatched.
    case readLoRA(path: String, changed: Int, unmatched: [String], ofTextEncoder: Int)
    /// Reference images make every step longer: their tokens are read along with the image's.
    case encodedReferences(count: Int, tokens: Int, besides: Int)
    /// A model layer is done: `done` of `of` in this stage, for a smooth progress bar.
    case working(stage: Stage, done: Int, of: Int)
    /// The step that is done next took over most of its work from an earlier one; so many have so far.
    case skipped(steps: Int)
    /// A noise level is done, the conditional and unconditional passes included.
    case denoised(step: Int, of: Int)
    /// The pixels are there; nothing follows.
    case decoded
    /// Something may make the image another one than expected, or went wrong beside it; see also
    /// ``GenerationResult/warnings``.
    case warned(String)

    /// The parts of a run that take time.
    public enum Stage: String, Hashable, Sendable {
        /// Prompts to features, noise to latents, latents to pixels.
        case encode, denoise, decode
    }
}
