internal import Torch

extension Modulation {
    var tensors: [Tensor] { [shift, scale, gate] }

    init(_ tensors: ArraySlice<Tensor>) {
        let first = tensors.startIndex
        self.init(shift: tensors[first], scale: tensors[first + 1], gate: tensors[first + 2])
    }
}

extension DoubleStreamBlock {
    /// The block; with a place for its inputs, it is computed again when gradients are.
    func recomputed(
        _ memory: RecomputationMemory?, picture: Tensor, text: Tensor,
        modulations: (picture: [Modulation], text: [Modulation]), rotary: RotaryTable,
        cache: KeyValue?
    ) throws -> (picture: Tensor, text: Tensor) {
        guard let memory else {
            return try self(
                picture: picture, text: text, modulations: modulations, rotary: rotary,
                cache: cache)
        }
        let steering = (modulations.picture + modulations.text).flatMap(\.tensors)
        let sets = modulations.picture.count
        let streams = try Torch.recomputed([picture, text] + steering, outputs: 2, keptIn: memory) {
            inputs in
            let all = stride(from: 2, to: inputs.count, by: 3).map { Modulation(inputs[$0...]) }
            let result = try self(
                picture: inputs[0], text: inputs[1],
                modulations: (Array(all[..<sets]), Array(all[sets...])), rotary: rotary,
                cache: cache)
            return [result.picture, result.text]
        }
        return (streams[0], streams[1])
    }
}

extension SingleStreamBlock {
    /// The block; with a place for its input, it is computed again when gradients are.
    func recomputed(
        _ memory: RecomputationMemory?, _ x: Tensor, modulation: Modulation, rotary: RotaryTable,
        cache: KeyValue?
    ) throws -> Tensor {
        guard let memory else {
            return try self(x, modulation: modulation, rotary: rotary, cache: cache)
        }
        return try Torch.recomputed([x] + modulation.tensors, outputs: 1, keptIn: memory) {
            [try self($0[0], modulation: Modulation($0[1...]), rotary: rotary, cache: cache)]
        }[0]
    }
}
