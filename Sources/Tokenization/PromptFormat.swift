/// How a prompt is put to a text encoder.
public enum PromptFormat: Hashable, Sendable {
    /// A user turn and the opening of an answer without thinking.
    case qwen3
    /// A system message and an instruction.
    case mistral3(systemMessage: SystemMessage)

    /// What the Mistral encoder is told before the prompt.
    public enum SystemMessage: String, Hashable, Sendable, CaseIterable {
        /// On one line.
        case diffsynth
        /// The same words with a line feed, as the models' makers and diffusers have them.
        case bfl

        var text: String {
            "You are an AI that reasons about image descriptions. You give structured responses "
                + "focusing on object relationships, object"
                + (self == .diffsynth ? " " : "\n")
                + "attribution and actions without speculation."
        }
    }

    /// The whole text that is tokenized.
    public func text(for prompt: String) -> String {
        switch self {
        case .qwen3:
            "<|im_start|>user\n\(prompt)<|im_end|>\n<|im_start|>assistant\n"
                + "<think>\n\n</think>\n\n"
        case .mistral3(let message):
            "<s>[SYSTEM_PROMPT]\(message.text)[/SYSTEM_PROMPT]"
                + "[INST]\(prompt.replacing("[IMG]", with: ""))[/INST]"
        }
    }

    var name: String {
        switch self {
        case .qwen3: "Qwen 3"
        case .mistral3: "Mistral 3"
        }
    }

    var paddingToken: String {
        switch self {
        case .qwen3: "<|endoftext|>"
        case .mistral3: "<pad>"
        }
    }

    var defaultPaddingSide: PaddingSide {
        switch self {
        case .qwen3: .right
        case .mistral3: .left
        }
    }

    /// The tokens without which a vocabulary is that of another model.
    package var controlTokens: [String] {
        switch self {
        case .qwen3: [paddingToken, "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
        case .mistral3:
            [paddingToken, "<s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
        }
    }
}
