public import Torch

extension FluxTransformer {
    /// One of several inputs on its way through the blocks.
    fileprivate struct Passage {
        let input: TransformerInput
        let embedding: Tensor
        let modulations: DoubleModulations
        let single: Modulation
        var streams: (picture: Tensor, text: Tensor)
        /// The latents' tokens before the first block, then behind it; kept where a memory asks for them.
        var mark: Tensor?
        /// The sequence behind the double-stream blocks.
        var hidden: Tensor?
        /// Whether the blocks that are left are skipped.
        var isSkipping = false
    }

    /// Computes the velocities of several inputs, each with the same numbers as by itself.
    ///
    /// Each group of weights serves all inputs before the next one is used: weights that come while
    /// they are used come once for all. Inputs with a ``SharedInput`` all have the same one.
    ///
    /// - Parameters:
    ///   - prepare: called with the number of an input before something is computed for it.
    ///   - observe: told about every block of every input.
    /// - Shapes: → [B, Ti, C] each.
    public func sideBySide(
        _ inputs: [TransformerInput], prepare: (Int) throws -> Void,
        observe: (Int, String, Tensor) throws -> Void
    ) throws -> [Tensor] {
        var passages = try inputs.indices.map { side in
            try prepare(side)
            return try begin(inputs[side]) { try observe(side, $0, $1) }
        }
        for index in doubleBlocks.indices {
            try doubleBlock(index, &passages, prepare, observe)
        }
        try each(&passages, prepare) { try $0.concatenate() }
        for index in singleBlocks.indices {
            try singleBlock(index, &passages, prepare, observe)
        }
        return try passages.indices.map { side in
            try prepare(side)
            return try end(passages[side]) { try observe(side, $0, $1) }
        }
    }

    /// One part of a block for all inputs that pass it.
    private func each(
        _ passages: inout [Passage], _ prepare: (Int) throws -> Void,
        _ body: (inout Passage) throws -> Void
    ) throws {
        for side in passages.indices where !passages[side].isSkipping {
            try prepare(side)
            try body(&passages[side])
        }
    }

    private func doubleBlock(
        _ index: Int, _ passages: inout [Passage], _ prepare: (Int) throws -> Void,
        _ observe: (Int, String, Tensor) throws -> Void
    ) throws {
        let block = doubleBlocks[index]
        // The first block projects a picture that is shared once for all inputs.
        var projected: Projected?
        try each(&passages, prepare) { passage in
            let isShared = index == 0 && passage.input.shared != nil
            if isShared, projected == nil {
                projected = try block.projectedPicture(
                    passage.streams.picture, passage.modulations.picture)
            }
            try passage.join(block, isShared ? projected : nil, "double_\(index)")
        }
        try each(&passages, prepare) {
            $0.streams.picture = try block.finishedPicture(
                $0.streams.picture, $0.modulations.picture)
        }
        // The text's feed-forward is for the blocks that follow.
        if index == 0 { try each(&passages, prepare) { try $0.decide() } }
        try each(&passages, prepare) {
            $0.streams.text = try block.finishedText($0.streams.text, $0.modulations.text)
        }
        for (side, passage) in passages.enumerated() where !passage.isSkipping {
            try observe(side, "transformer_blocks.\(index).image", passage.streams.picture)
        }
    }

    private func singleBlock(
        _ index: Int, _ passages: inout [Passage], _ prepare: (Int) throws -> Void,
        _ observe: (Int, String, Tensor) throws -> Void
    ) throws {
        let block = singleBlocks[index]
        var attended: [Tensor] = []
        try each(&passages, prepare) { attended.append(try $0.attend(block, "single_\(index)")) }
        attended.reverse()
        try each(&passages, prepare) { try $0.finish(block, attended.removeLast()) }
        for (side, passage) in passages.enumerated() where !passage.isSkipping {
            guard let hidden = passage.hidden else { continue }
            try observe(side, "single_transformer_blocks.\(index)", hidden)
        }
    }

    private func begin(_ input: TransformerInput, _ observe: Observer) throws -> Passage {
        let embedding = try steering(input, observe)
        let (modulations, streams) = try embedded(input, embedding, observe)
        var passage = Passage(
            input: input, embedding: embedding, modulations: modulations,
            single: try singleModulation(input, embedding, observe), streams: streams)
        if input.memory != nil { passage.mark = try passage.latents }
        return passage
    }

    private func end(_ passage: Passage, _ observe: Observer) throws -> Tensor {
        if passage.isSkipping {
            return try finish(
                passage.completed(), passage.input, passage.embedding, observe)
        }
        guard let hidden = passage.hidden else { preconditionFailure("no sequence") }
        try passage.keep(hidden)
        return try velocity(of: hidden, passage.input, passage.embedding, observe)
    }
}

extension FluxTransformer.Passage {
    /// The latents' part of the picture's stream.
    fileprivate var latents: Tensor {
        get throws { try streams.picture.slice(0..<input.latents.size(1), along: 1) }
    }

    fileprivate mutating func join(
        _ block: DoubleStreamBlock, _ projected: Projected?, _ cache: String
    ) throws {
        streams = try block.joined(
            streams.picture, streams.text, modulations, input.rotary, input.caches[cache],
            projected: projected)
    }

    /// Asks the memory, behind the first block, whether the others are skipped.
    fileprivate mutating func decide() throws {
        guard let memory = input.memory, let before = mark else { return }
        let after = try latents
        isSkipping = try memory.decides(before, after)
        mark = after
    }

    /// What the last block would give for the latents.
    fileprivate func completed() throws -> Tensor {
        guard let memory = input.memory, let mark else { preconditionFailure("no memory") }
        return try memory.completed(mark)
    }

    /// Has the memory keep what the blocks behind the first have brought.
    fileprivate func keep(_ hidden: Tensor) throws {
        guard let memory = input.memory, let mark else { return }
        let start = input.text.size(1)
        try memory.keep(mark, hidden.slice(start..<start + input.latents.size(1), along: 1))
    }

    fileprivate mutating func concatenate() throws {
        hidden = try .concatenating([streams.text, streams.picture], along: 1)
        // Nothing needs the streams any more.
        streams = (input.latents, input.text)
    }

    fileprivate func attend(_ block: SingleStreamBlock, _ cache: String) throws -> Tensor {
        guard let hidden else { preconditionFailure("no sequence") }
        return try block.attended(hidden, single, input.rotary, input.caches[cache])
    }

    fileprivate mutating func finish(_ block: SingleStreamBlock, _ attended: Tensor) throws {
        guard let hidden else { preconditionFailure("no sequence") }
        self.hidden = try block.finished(hidden, attended, single)
    }
}
