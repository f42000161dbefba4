public import Torch

extension FluxTransformer {
    /// One of several inputs on its way through the blocks.
    fileprivate struct Passage {
        let input: TransformerInput
        let embedding: Tensor
        let modulations: (picture: [Modulation], text: [Modulation])
        let single: Modulation
        var streams: (picture: Tensor, text: Tensor)
        /// The sequence behind the double-stream blocks.
        var hidden: Tensor?
    }

    /// Computes the velocities of several inputs, each with the same numbers as by itself.
    ///
    /// Each group of weights serves all inputs before the next one is used: weights that come while
    /// they are used come once for all.
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
        /// One part of a block for all inputs.
        func each(_ body: (inout Passage) throws -> Void) throws {
            for side in passages.indices {
                try prepare(side)
                try body(&passages[side])
            }
        }
        for (index, block) in doubleBlocks.enumerated() {
            try each { try $0.join(block, "double_\(index)") }
            try each {
                $0.streams.picture = try block.finishedPicture(
                    $0.streams.picture, $0.modulations.picture)
            }
            try each {
                $0.streams.text = try block.finishedText($0.streams.text, $0.modulations.text)
            }
            for (side, passage) in passages.enumerated() {
                try observe(side, "transformer_blocks.\(index).image", passage.streams.picture)
            }
        }
        try each { try $0.concatenate() }
        for (index, block) in singleBlocks.enumerated() {
            var attended: [Tensor] = []
            try each { attended.append(try $0.attend(block, "single_\(index)")) }
            attended.reverse()
            try each { try $0.finish(block, attended.removeLast()) }
            for (side, passage) in passages.enumerated() {
                guard let hidden = passage.hidden else { continue }
                try observe(side, "single_transformer_blocks.\(index)", hidden)
            }
        }
        return try passages.indices.map { side in
            try prepare(side)
            let passage = passages[side]
            guard let hidden = passage.hidden else { preconditionFailure("no sequence") }
            return try velocity(of: hidden, passage.input, passage.embedding) {
                try observe(side, $0, $1)
            }
        }
    }

    private func begin(_ input: TransformerInput, _ observe: Observer) throws -> Passage {
        let embedding = try steering(input, observe)
        let (modulations, streams) = try embedded(input, embedding, observe)
        return Passage(
            input: input, embedding: embedding, modulations: modulations,
            single: try singleModulation(embedding, observe), streams: streams)
    }
}

extension FluxTransformer.Passage {
    fileprivate mutating func join(_ block: DoubleStreamBlock, _ cache: String) throws {
        streams = try block.joined(
            streams.picture, streams.text, modulations, input.rotary, input.caches[cache])
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
