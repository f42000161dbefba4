internal import Torch

extension Modulation {
    var tensors: [Tensor] { [shift, scale, gate] }

    init(_ tensors: ArraySlice<Tensor>) {
        let first = tensors.startIndex
        self.init(shift: tensors[first], scale: tensors[first + 1], gate: tensors[first + 2])
    }
}

extension DoubleStreamBlock {
    /// The block; with a place for its inputs, it is recomputed when gradients are.
    func checkpointed(
        _ memory: ActivationCheckpointing?, image: Tensor, text: Tensor,
        modulations: (image: [Modulation], text: [Modulation]), rotary: RotaryTable,
        cache: KeyValue?
    ) throws -> (image: Tensor, text: Tensor) {
        guard let memory else {
            return try self(
                image: image, text: text, modulations: modulations, rotary: rotary,
                cache: cache)
        }
        let modulationTensors = (modulations.image + modulations.text).flatMap(\.tensors)
        let sets = modulations.image.count
        let streams = try Torch.checkpointed(
            [image, text] + modulationTensors, outputs: 2, storing: memory
        ) {
            inputs in
            let all = stride(from: 2, to: inputs.count, by: 3).map { Modulation(inputs[$0...]) }
            let result = try self(
                image: inputs[0], text: inputs[1],
                modulations: (Array(all[..<sets]), Array(all[sets...])), rotary: rotary,
                cache: cache)
            return [result.image, result.text]
        }
        return (streams[0], streams[1])
    }
}

extension SingleStreamBlock {
    /// The block; with a place for its input, it is recomputed when gradients are.
    func checkpointed(
        _ memory: ActivationCheckpointing?, _ x: Tensor, modulation: Modulation,
        rotary: RotaryTable,
        cache: KeyValue?
    ) throws -> Tensor {
        guard let memory else {
            return try self(x, modulation: modulation, rotary: rotary, cache: cache)
        }
        return try Torch.checkpointed([x] + modulation.tensors, outputs: 1, storing: memory) {
            [try self($0[0], modulation: Modulation($0[1...]), rotary: rotary, cache: cache)]
        }[0]
    }
}
