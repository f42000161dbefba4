public import ArgumentParser
public import Flux2

/// Which LoRAs change the model, and how.
struct LoRAOptions: ParsableArguments {
    @Option(help: "LoRA as FILE or FILE:WEIGHT; may be repeated.", completion: .file())
    var lora: [Reference] = []

    @Option(help: "The same for the prompt's side of guidance only.", completion: .file())
    var positiveLora: [Reference] = []

    @Option(help: "The same for the negative prompt's side only.", completion: .file())
    var negativeLora: [Reference] = []

    @Option(
        help: """
            hot works beside the weights and copies nothing; fused folds LoRAs into a copy of \
            them, as DiffSynth-Studio does.
            """)
    var loraMode: LoRAUse.Mode?

    @Flag(
        help: """
            Apply what fits of LoRAs although the model does not have all of their modules of \
            transformer blocks; else that is an error.
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
            (lora, nil), (positiveLora, .positive), (negativeLora, .negative),
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
