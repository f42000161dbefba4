public import ArgumentParser
public import Flux2

/// Which LoRAs change the model, and how.
struct LoRAOptions: ParsableArguments {
    @Option(help: "LoRA as FILE or FILE:WEIGHT; may be repeated.", completion: .file())
    var lora: [Reference] = []

    @Option(help: "LoRA for the prompt only, not for the negative prompt.", completion: .file())
    var positiveLora: [Reference] = []

    @Option(help: "LoRA for the negative prompt only.", completion: .file())
    var negativeLora: [Reference] = []

    @Option(
        help: """
            hot applies LoRAs beside the weights and copies nothing; fused merges them into a copy, \
            as DiffSynth-Studio does. Default: hot.
            """)
    var loraMode: LoRAUse.Mode?

    @Flag(
        help: """
            Apply what fits of a LoRA whose transformer blocks the model lacks in part; else an error.
            """)
    var partialLora = false

    /// A file with a weight.
    struct Reference: ExpressibleByArgument {
        var path: String
        var weight = 1.0

        init?(argument: String) {
            // A colon may be part of the name, so only a number after the last one is a weight.
            guard let colon = argument.lastIndex(of: ":"),
                let weight = Double(argument[argument.index(after: colon)...])
            else {
                path = argument
                return
            }
            self.weight = weight
            path = String(argument[..<colon])
        }
    }

    func validate() throws {
        let all = lora + positiveLora + negativeLora
        guard loraMode == nil || !all.isEmpty else {
            throw ValidationError("--lora-mode needs --lora")
        }
        guard !partialLora || !all.isEmpty else {
            throw ValidationError("--partial-lora needs --lora")
        }
        try uses.forEach { try $0.check() }
    }

    var uses: [LoRAUse] {
        let kinds: [([Reference], GuidanceBranch?)] = [
            (lora, nil), (positiveLora, .conditional), (negativeLora, .unconditional),
        ]
        return kinds.flatMap { references, branch in
            references.map {
                LoRAUse(
                    path: $0.path, strength: $0.weight, branch: branch, mayBePartial: partialLora)
            }
        }
    }
}

extension LoRAUse.Mode: ExpressibleByArgument {}
