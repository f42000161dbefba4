public import Torch

extension FluxTransformer {
    /// One of several inputs on its way through the blocks.
    fileprivate struct BlockState {
        let input: TransformerInput
        let embedding: Tensor
        let modulations: DoubleModulations
        let single: Modulation
        var streams: (image: Tensor, text: Tensor)
        /// The latents' tokens before the first block, then behind it; kept where a memory asks for them.
        var mark: Tensor?
        /// The sequence behind the double-stream blocks.
        var hidden: Tensor?
        /// Whether the blocks that are left are skipped.
        var isSkipping = false
    }

    /// Computes the velocities of several inputs, each with the same values as by itself.
    ///
    /// Each group of weights serves all inputs before the next one is used: weights that come while
    /// they are used come once for all. Inputs with a ``SharedInput`` all have the same one.
    ///
    /// - Parameters:
    ///   - prepare: called with the number of an input before something is computed for it.
    ///   - observe: told about every block of every input.
    /// - Shapes: → [B, Ti, C] each.
    public func evaluateInLockstep(
        _ inputs: [TransformerInput], prepare: (Int) throws -> Void,
        observe: (Int, String, Tensor) throws -> Void
    ) throws -> [Tensor] {
        var states = try inputs.indices.map { branch in
            try prepare(branch)
            return try begin(inputs[branch]) { try observe(branch, $0, $1) }
        }
        for index in doubleBlocks.indices {
            try doubleBlock(index, &states, prepare, observe)
        }
        try each(&states, prepare) { try $0.concatenate() }
        for index in singleBlocks.indices {
            try singleBlock(index, &states, prepare, observe)
        }
        return try states.indices.map { branch in
            try prepare(branch)
            return try end(states[branch]) { try observe(branch, $0, $1) }
        }
    }

    /// One part of a block for all inputs that pass it.
    private func each(
        _ states: inout [BlockState], _ prepare: (Int) throws -> Void,
        _ body: (inout BlockState) throws -> Void
    ) throws {
        for branch in states.indices where !states[branch].isSkipping {
            try prepare(branch)
            try body(&states[branch])
        }
    }

    private func doubleBlock(
        _ index: Int, _ states: inout [BlockState], _ prepare: (Int) throws -> Void,
        _ observe: (Int, String, Tensor) throws -> Void
    ) throws {
        let block = doubleBlocks[index]
        // The first block projects an image that is shared once for all inputs.
        var qkv: QKV?
        try each(&states, prepare) { state in
            let isShared = index == 0 && state.input.shared != nil
            if isShared, qkv == nil {
                qkv = try block.imageQKV(
                    state.streams.image, state.modulations.image)
            }
            try state.attention(block, isShared ? qkv : nil, "double_\(index)")
        }
        try each(&states, prepare) {
            $0.streams.image = try block.imageFeedForward(
                $0.streams.image, $0.modulations.image)
        }
        // The text's feed-forward is for the blocks that follow.
        if index == 0 { try each(&states, prepare) { try $0.decideSkip() } }
        try each(&states, prepare) {
            $0.streams.text = try block.textFeedForward($0.streams.text, $0.modulations.text)
        }
        for (branch, state) in states.enumerated() where !state.isSkipping {
            try observe(branch, "transformer_blocks.\(index).image", state.streams.image)
        }
    }

    private func singleBlock(
        _ index: Int, _ states: inout [BlockState], _ prepare: (Int) throws -> Void,
        _ observe: (Int, String, Tensor) throws -> Void
    ) throws {
        let block = singleBlocks[index]
        var attended: [Tensor] = []
        try each(&states, prepare) {
            attended.append(try $0.attentionAndMLP(block, "single_\(index)"))
        }
        attended.reverse()
        try each(&states, prepare) { try $0.addOutput(block, attended.removeLast()) }
        for (branch, state) in states.enumerated() where !state.isSkipping {
            guard let hidden = state.hidden else { continue }
            try observe(branch, "single_transformer_blocks.\(index)", hidden)
        }
    }

    private func begin(_ input: TransformerInput, _ observe: Observer) throws -> BlockState {
        let embedding = try timestepEmbedding(input, observe)
        let (modulations, streams) = try blockInputs(input, embedding, observe)
        var state = BlockState(
            input: input, embedding: embedding, modulations: modulations,
            single: try singleModulation(input, embedding, observe), streams: streams)
        if input.memory != nil { state.mark = try state.latents }
        return state
    }

    private func end(_ state: BlockState, _ observe: Observer) throws -> Tensor {
        if state.isSkipping {
            return try projectOutput(
                state.approximated(), state.input, state.embedding, observe)
        }
        guard let hidden = state.hidden else { preconditionFailure("no sequence") }
        try state.store(hidden)
        return try velocity(of: hidden, state.input, state.embedding, observe)
    }
}

extension FluxTransformer.BlockState {
    /// The latents' part of the image's stream.
    fileprivate var latents: Tensor {
        get throws { try streams.image.slice(0..<input.latents.size(1), along: 1) }
    }

    fileprivate mutating func attention(
        _ block: DoubleStreamBlock, _ qkv: QKV?, _ cache: String
    ) throws {
        streams = try block.attention(
            streams.image, streams.text, modulations, input.rotary, input.caches[cache],
            qkv: qkv)
    }

    /// Asks the cache, after the first block, whether the others are skipped.
    fileprivate mutating func decideSkip() throws {
        guard let memory = input.memory, let before = mark else { return }
        let after = try latents
        isSkipping = try memory.shouldSkip(before, after)
        mark = after
    }

    /// What the last block would give for the latents.
    fileprivate func approximated() throws -> Tensor {
        guard let memory = input.memory, let mark else { preconditionFailure("no memory") }
        return try memory.applied(mark)
    }

    /// Stores the residual of the blocks behind the first.
    fileprivate func store(_ hidden: Tensor) throws {
        guard let memory = input.memory, let mark else { return }
        let start = input.text.size(1)
        try memory.store(mark, hidden.slice(start..<start + input.latents.size(1), along: 1))
    }

    fileprivate mutating func concatenate() throws {
        hidden = try .concatenating([streams.text, streams.image], along: 1)
        // Nothing needs the streams any more.
        streams = (input.latents, input.text)
    }

    fileprivate func attentionAndMLP(_ block: SingleStreamBlock, _ cache: String) throws -> Tensor {
        guard let hidden else { preconditionFailure("no sequence") }
        return try block.attentionAndMLP(hidden, single, input.rotary, input.caches[cache])
    }

    fileprivate mutating func addOutput(_ block: SingleStreamBlock, _ attended: Tensor) throws {
        guard let hidden else { preconditionFailure("no sequence") }
        self.hidden = try block.addOutput(hidden, attended, single)
    }
}
