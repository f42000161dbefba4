internal import FluxModels

/// Counts the blocks of all steps and passes.
struct DenoiseProgress {
    let before: Int
    let perPass: Int
    let doubleBlocks: Int
    let total: Int

    init(_ stage: DenoiseStage, step: Int, passes: Int) {
        let configuration = stage.transformer.configuration
        doubleBlocks = configuration.doubleBlockCount
        perPass = doubleBlocks + configuration.singleBlockCount
        before = step * passes * perPass
        total = stage.schedule.sigmas.count * passes * perPass
    }

    func event(after module: String, pass: Int) -> GenerationEvent? {
        block(module).map {
            .working(stage: .denoise, done: before + pass * perPass + $0 + 1, of: total)
        }
    }

    /// The same where both passes run in lockstep.
    func event(after module: String, branch: Int) -> GenerationEvent? {
        block(module).map {
            .working(stage: .denoise, done: before + 2 * $0 + branch + 1, of: total)
        }
    }

    /// The number of a block, by the name of its last output.
    private func block(_ module: String) -> Int? {
        let parts = module.split(separator: ".")
        guard parts.count >= 2, let index = Int(parts[1]), parts.last != "text" else {
            return nil
        }
        return parts[0] == "transformer_blocks" ? index : doubleBlocks + index
    }
}
