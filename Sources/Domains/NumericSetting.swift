/// All settings that are numbers: of requests, of trainings, and of the program's options.
///
/// Raw values are the names of options, with underscores. Command line, files of options and the
/// library's own checks take what a setting may be from here.
public enum NumericSetting: String, CaseIterable, Sendable {
    // Images
    case height, width, steps, seed, count, quality
    case textLength = "text_length"
    case cfgScale = "cfg_scale"
    case embeddedGuidance = "embedded_guidance"
    case stepCache = "step_cache"
    case denoisingStrength = "denoising_strength"
    case inpaintBlurSize = "inpaint_blur_size"
    case inpaintBlurSigma = "inpaint_blur_sigma"
    case tileSize = "tile_size"
    case tileStride = "tile_stride"
    /// Behind the colon of a LoRA; no option of its own.
    case loraStrength = "lora_strength"

    // Machine
    case threads
    case vramLimit = "vram_limit"
    case ramLimit = "ram_limit"
    case processes
    case masterPort = "master_port"
    case threadsPerProcess = "threads_per_process"

    // Measuring, evaluating, LoRA files
    case rounds, megabytes, timeout, limit, rank

    // Data of a training
    case datasetRepeat = "dataset_repeat"
    case datasetNumWorkers = "dataset_num_workers"
    case maxPixels = "max_pixels"
    case batchSize = "batch_size"
    case keepEncoded = "keep_encoded"

    // Method and optimization
    case loraRank = "lora_rank"
    case loraAlpha = "lora_alpha"
    case klWeight = "kl_weight"
    case learningRate = "learning_rate"
    case weightDecay = "weight_decay"
    case numEpochs = "num_epochs"
    case gradientAccumulationSteps = "gradient_accumulation_steps"
    case lrWarmupSteps = "lr_warmup_steps"
    case maxGradNorm = "max_grad_norm"
    case emaDecay = "ema_decay"
    case zero
    case cpuOffloadSplitThreshold = "cpu_offload_split_threshold"
    /// The number of `--stop_after`; with a unit it is `stopAfterSeconds`.
    case stopAfterSteps = "stop_after_steps"
    case stopAfterSeconds = "stop_after_seconds"

    // Output and looking
    case saveSteps = "save_steps"
    case validationSplit = "validation_split"
    case validationSteps = "validation_steps"
    case sampleSteps = "sample_steps"
    case sampleHeight = "sample_height"
    case sampleWidth = "sample_width"
    case sampleInferenceSteps = "sample_inference_steps"
    case sampleCfgScale = "sample_cfg_scale"
    case sampleSeed = "sample_seed"
}

extension NumericSetting {
    /// What it may be.
    public var domain: NumberDomain {
        switch self {
        case .height, .width, .sampleHeight, .sampleWidth: .integers(1...16384, "pixels")
        case .steps, .sampleInferenceSteps, .count: .integers(1...10_000)
        case .seed: .unsigned.with(-1, meaning: "one that is drawn")
        case .sampleSeed: .unsigned
        case .quality: .integers(1...100)
        case .textLength: .integers(1...4096, "tokens")
        case .cfgScale, .embeddedGuidance, .sampleCfgScale, .loraStrength: .reals(-1e6...1e6)
        case .stepCache, .klWeight, .weightDecay: .reals(0...1e6)
        case .learningRate: .reals(0...1e38)
        case .denoisingStrength: .reals(0...1)
        case .inpaintBlurSize: .integers(0...1023, "tokens")
        case .inpaintBlurSigma: .reals(above: 0, to: 1e6, "tokens")
        case .tileSize: .integers(8...65536, "latents")
        case .tileStride: .integers(1...65536, "latents")
        case .threads, .threadsPerProcess, .processes: .integers(1...1024)
        case .vramLimit: Self.gibibytes.with(word: "auto").with(0, meaning: "as little as can be")
        case .ramLimit: .reals(above: 0, to: 1_048_576, "GiB")
        case .masterPort: .integers(1...65535)
        case .rounds: .integers(1...1_000_000_000)
        case .megabytes: .integers(1...1_000_000)
        case .timeout: .integers(1...1_000_000, "seconds")
        case .rank: .integers(1...4096)
        case .datasetRepeat, .gradientAccumulationSteps: .integers(1...1_000_000)
        case .datasetNumWorkers: .integers(0...1024)
        case .maxPixels: .integers(1...(16384 * 16384))
        case .batchSize: .integers(1...4096)
        case .keepEncoded: .reals(0...1e6, "GB")
        case .loraRank: .integers(1...16384)
        case .loraAlpha: .reals(0...1e6).with(0, meaning: "the rank")
        case .numEpochs, .limit, .saveSteps, .validationSteps, .sampleSteps, .stopAfterSteps:
            .integers(1...1_000_000_000)
        case .lrWarmupSteps, .validationSplit, .cpuOffloadSplitThreshold:
            .integers(0...1_000_000_000)
        case .maxGradNorm: .reals(0...1e38).with(0, meaning: "no clipping")
        case .emaDecay: .reals(0..<1)
        case .zero: .integers(1...2).with(0, meaning: "optimizer state on each process")
        case .stopAfterSeconds: .reals(above: 0, to: 1e9, "seconds")
        }
    }

    private static let gibibytes = NumberDomain.reals(0...1_048_576, "GiB")

    /// Other names of the option.
    public var otherNames: [String] {
        switch self {
        case .steps: ["num_inference_steps"]
        case .textLength: ["t5_sequence_length"]
        case .stepCache: ["first_block_cache"]
        case .processes: ["num_processes"]
        default: []
        }
    }

    /// The setting of an option.
    ///
    /// - Parameter name: without the dashes before it, words joined by dashes or underscores.
    public init?(option name: String) {
        guard let found = Self.byName[name.replacing("-", with: "_")] else { return nil }
        self = found
    }

    private static let byName: [String: NumericSetting] = Dictionary(
        uniqueKeysWithValues: allCases.flatMap { setting in
            ([setting.rawValue] + setting.otherNames).map { ($0, setting) }
        })
}

// MARK: In Swift

extension NumericSetting {
    /// The property that holds it.
    public var property: String {
        switch self {
        case .loraStrength: "strength"
        case .datasetRepeat: "repeats"
        case .datasetNumWorkers: "workers"
        case .keepEncoded: "keptBytes"
        case .klWeight: "divergenceWeight"
        case .numEpochs: "epochs"
        case .gradientAccumulationSteps: "accumulation"
        case .lrWarmupSteps: "warmup"
        case .maxGradNorm: "clippedNorm"
        case .emaDecay: "averageDecay"
        case .zero: "sharding"
        case .saveSteps: "saveEvery"
        case .validationSplit: "heldOut"
        case .validationSteps: "validateEvery"
        case .sampleSteps: "sampleEvery"
        case .sampleInferenceSteps: "sampleSteps"
        case .sampleCfgScale: "sampleScale"
        default: Self.camelCase(rawValue)
        }
    }

    private static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_")
        return words.dropFirst().reduce(String(words[0])) { text, word in
            text + word.prefix(1).uppercased() + word.dropFirst()
        }
    }

    /// - Throws: `NumberError` naming the property; nil is no number and passes.
    public func check(_ value: Int?) throws {
        if let value { try domain.check(value, property) }
    }

    /// - Throws: `NumberError` naming the property; nil is no number and passes.
    public func check(_ value: Double?) throws {
        if let value { try domain.check(value, property) }
    }
}
