/// Fields of files that hold numbers: configurations of models, states of trainings, settings of
/// LoRAs, listings of hubs.
///
/// Raw values are the names that files give them. Bounds are far above what any model has, and low
/// enough that no product of some of them leaves 64 bits.
public enum NumericField: String, CaseIterable, Sendable {
    // Of several configurations
    case attentionHeads = "num_attention_heads"
    case hiddenLayers = "num_hidden_layers"
    case ropeTheta = "rope_theta"

    // transformer/config.json
    case layers = "num_layers"
    case singleLayers = "num_single_layers"
    case attentionHeadSize = "attention_head_dim"
    case inChannels = "in_channels"
    case jointAttentionSize = "joint_attention_dim"
    case mlpRatio = "mlp_ratio"
    case ropeAxes = "axes_dims_rope"
    case timestepChannels = "timestep_guidance_channels"
    case epsilon = "eps"

    // vae/config.json
    case blockChannels = "block_out_channels"
    case decoderBlockChannels = "decoder_block_out_channels"
    case latentChannels = "latent_channels"
    case layersPerBlock = "layers_per_block"
    case normGroups = "norm_num_groups"
    case batchNormEpsilon = "batch_norm_eps"
    case batchNormMomentum = "batch_norm_momentum"

    // text_encoder/config.json
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case keyValueHeads = "num_key_value_heads"
    case headSize = "head_dim"
    case vocabularySize = "vocab_size"
    case rmsNormEpsilon = "rms_norm_eps"
    case outLayers = "text_encoder_out_layers"

    // training_state.safetensors
    case epoch, batch, steps, updates, seconds
    case batchSize, accumulation, processes

    // adapter_config.json, and what stands for it in a header
    case loraAlpha = "lora_alpha"
    case loraRank = "r"

    // Columns of training data, and headers of encoded samples
    case inferenceSteps = "num_inference_steps"
    case cfgScale = "cfg_scale"
    case embeddedGuidance = "embedded_guidance"
    case minTimestepBoundary = "min_timestep_boundary"
    case maxTimestepBoundary = "max_timestep_boundary"
    case noiseScale = "noise_scale"

    // Listings of hubs
    case size
}

extension NumericField {
    /// What it may be.
    public var domain: NumberDomain {
        switch self {
        case .attentionHeads, .keyValueHeads: .integers(1...1024)
        case .layers, .singleLayers, .hiddenLayers: .integers(1...1024)
        case .outLayers: .integers(0...1024)
        case .attentionHeadSize, .headSize, .ropeAxes: .integers(2...4096)
        case .hiddenSize, .inChannels: .integers(1...65536)
        case .jointAttentionSize, .intermediateSize: .integers(1...1_048_576)
        case .timestepChannels: .integers(2...65536)
        case .mlpRatio: .reals(above: 0, to: 16)
        case .ropeTheta: .reals(above: 0, to: 1e15)
        case .epsilon, .rmsNormEpsilon, .batchNormEpsilon, .batchNormMomentum: .reals(0...1)
        case .blockChannels, .decoderBlockChannels: .integers(1...16384)
        case .latentChannels: .integers(1...4096)
        case .layersPerBlock: .integers(1...64)
        case .normGroups: .integers(1...4096)
        case .vocabularySize: .integers(1...16_777_216)
        case .epoch, .batch, .steps, .updates: .integers(0...1_000_000_000_000)
        case .seconds: .reals(0...1e12)
        case .batchSize: NumericSetting.batchSize.domain
        case .accumulation: NumericSetting.gradientAccumulationSteps.domain
        case .processes: .integers(1...65536)
        case .loraAlpha: .reals(-1e9...1e9)
        case .loraRank: .integers(1...1_048_576)
        case .inferenceSteps: NumericSetting.steps.domain
        case .cfgScale, .embeddedGuidance, .noiseScale: .reals(-1e6...1e6)
        case .minTimestepBoundary, .maxTimestepBoundary: .reals(0...1)
        case .size: .integers(0...(1 << 50), "bytes")
        }
    }

    /// - Throws: `NumberError` naming the field.
    public func check(_ value: Int) throws { try domain.check(value, "'\(rawValue)'") }

    /// - Throws: `NumberError` naming the field.
    public func check(_ value: Double) throws { try domain.check(value, "'\(rawValue)'") }

    /// Checks a list; `count` bounds its length.
    ///
    /// - Throws: `NumberError` naming the field.
    public func check(_ values: [Int], count: ClosedRange<Int>) throws {
        guard count.contains(values.count) else {
            let (least, most) = (count.lowerBound, count.upperBound)
            throw NumberError(
                name: "'\(rawValue)'",
                expected: "a list of \(least == most ? "" : "\(least) to ")\(most) numbers",
                found: "one of \(values.count)")
        }
        for value in values { try check(value) }
    }
}
