internal import Torch

/// The modulations of the double-stream blocks, for attention and feed-forward of each stream.
typealias DoubleModulations = (image: [Modulation], text: [Modulation])

/// What evaluations of the same latents at the same noise level have in common, whatever text they read.
///
/// Keys and values of the text are no part of it, not even in the first block: its stream is shifted and
/// scaled by the noise level before it is projected. Those of the image are the same in the first block,
/// and are shared by ``FluxTransformer/evaluateInLockstep(_:prepare:observe:)``; elsewhere
/// they would take three times the image's tokens for as long as an evaluation lasts, to spare half a
/// percent of it.
public struct SharedInput {
    /// Noise level and guidance as a vector, [B, D].
    let embedding: Tensor
    let double: DoubleModulations
    let single: Modulation
    /// Scale and shift of the last normalization, [B, 1, 2D].
    let output: Tensor
    /// What the image's stream starts from, [B, Ti + Tr, D].
    let image: Tensor
}

extension FluxTransformer {
    /// Computes what an evaluation shares with others that differ from it in their text alone.
    ///
    /// The same kernels run on the same values as without, so results are the same to the bit.
    public func sharedInput(for input: TransformerInput) throws -> SharedInput {
        let embedding = try timestepEmbedding(input, ignoreOutputs)
        return try SharedInput(
            embedding: embedding,
            double: doubleModulations(input, embedding, ignoreOutputs),
            single: singleModulation(input, embedding, ignoreOutputs),
            output: outputModulation(input, embedding),
            image: embedImage(input, ignoreOutputs))
    }
}
