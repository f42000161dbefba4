public import FluxModels

/// Floating-point operations of a training step, two for each product that is added.
///
/// Counted are matrix products and attention; of those, gradients with regard to inputs cost as much
/// as going forward, gradients of weights as much again, and the backward pass of attention two and a
/// half times its forward pass, since it computes the attention matrix again.
public struct StepWork: Hashable, Sendable {
    /// Matrix products of one evaluation.
    public var products: Double
    /// Attention of one evaluation.
    public var attention: Double
    /// Everything of a step.
    public var step: Double
    /// Encoding a caption, where that has to be done.
    public var caption: Double

    /// - Parameter encoder: the text encoder, where captions are encoded.
    public init(_ demand: TrainingEstimateInput, encoder: TextEncoderConfiguration? = nil) {
        caption = encoder.map { Self.caption($0, tokens: demand.textTokens) } ?? 0
        guard let model = demand.transformer else {
            (products, attention, step) = (0, 0, 0)
            return
        }
        let (width, hidden) = (Double(model.width), Double(model.feedForwardWidth))
        let blocks = Double(model.doubleBlockCount + model.singleBlockCount)
        let tokens = Double(demand.tokens)
        let images = Double(demand.imageTokens + demand.referenceTokens)
        let samples = Double(demand.batchSize * demand.evaluations)
        let inBlocks = blocks * tokens * (4 * width * width + 3 * width * hidden)
        let around =
            width
            * (2 * images * Double(model.latentChannels)
                + Double(demand.textTokens * model.textWidth))
        products = 2 * samples * (inBlocks + around)
        attention = 4 * samples * blocks * tokens * tokens * width
        let again = demand.recomputes ? 1.0 : 0
        let weights = demand.trainsWeights ? 1.0 : 0
        step = products * (2 + again + weights) + attention * (3.5 + again)
    }

    /// All matrices of the layers that are used, and attention.
    private static func caption(_ model: TextEncoderConfiguration, tokens: Int) -> Double {
        let width = Double(model.width)
        let queries = Double(model.headCount * model.headSize)
        let keys = Double(model.keyValueHeadCount * model.headSize)
        let layer =
            2 * width * (queries + keys) + 3 * width * Double(model.feedForwardWidth)
        let count = Double(tokens)
        return Double(model.depth)
            * (2 * count * layer + 4 * count * count * queries)
    }
}
