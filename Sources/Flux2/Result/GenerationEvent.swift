/// What a generation is doing, in order; steps count from 1 and end at the total.
public enum GenerationEvent: Hashable, Sendable {
    case loaded(component: String, bytes: Int)
    /// The prompt fills `tokens` of `limit` places; what did not fit was dropped. One that is
    /// remembered needs no encoder.
    case readPrompt(tokens: Int, limit: Int, wasTruncated: Bool, isRemembered: Bool)
    /// A LoRA changes so many weights; names of the file that the model does not have are unmatched.
    case readLoRA(path: String, changed: Int, unmatched: [String], ofTextEncoder: Int)
    /// Reference pictures make every step longer: their tokens are read along with the picture's.
    case encodedReferences(count: Int, tokens: Int, besides: Int)
    /// A model layer is done: `done` of `of` in this stage, for a smooth progress bar.
    case working(stage: Stage, done: Int, of: Int)
    case denoised(step: Int, of: Int)
    case decoded
    /// Something went wrong that the picture does not depend on.
    case warned(String)

    public enum Stage: String, Hashable, Sendable {
        case encode, denoise, decode
    }
}
