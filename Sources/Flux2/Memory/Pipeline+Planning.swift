internal import FluxModels
internal import Offloading
internal import Torch

extension Pipeline {
    /// Finds places for all weights that a request needs, before any is loaded.
    ///
    /// - Returns: the plan, where weights go, and the request with what the plan settles.
    /// - Throws: `MemoryError` with a proposal, where it does not fit.
    func plan(
        _ request: GenerationRequest, _ settings: MemorySettings? = nil
    ) throws -> (outcome: Planner.Outcome, request: GenerationRequest) {
        do {
            return try fitted(request, settings)
        } catch var error as MemoryError {
            error.proposal = proposal(for: request)
            throw error
        }
    }

    /// The request as it is, or with the image in strips if that has been left open.
    private func fitted(
        _ request: GenerationRequest, _ settings: MemorySettings? = nil
    ) throws -> (outcome: Planner.Outcome, request: GenerationRequest) {
        var settled = request
        guard request.tiling == .automatic else {
            return (try placed(request, settings), request)
        }
        settled.tiling = .off
        if case .strips = request.tiling.method(
            architecture.autoencoder, request.roundedSize.height, request.roundedSize.width,
            free: budget(settings))
        {
            settled.tiling = .strips
        }
        if settled.tiling == .off {
            do {
                return (try placed(settled, settings), settled)
            } catch let error as MemoryError
                where error.stage == "decode" || error.stage == "pictures"
            {
                settled.tiling = .strips
            }
        }
        var outcome = try placed(settled, settings)
        outcome.plan.usesStrips = true
        return (outcome, settled)
    }

    /// Places for weights. Where those of the transformer are streamed, both passes of
    /// guidance share them, if there is room for what both have come to.
    private func placed(
        _ request: GenerationRequest, _ settings: MemorySettings?
    ) throws -> Planner.Outcome {
        let apart = try planner(request, settings)()
        guard request.cfgScale != 1, apart.streamsTransformer,
            var together = try? planner(request, settings, inLockstep: true)()
        else { return apart }
        together.evaluatesInLockstep = true
        return together
    }

    private func budget(_ settings: MemorySettings?) -> Int {
        let settings = settings ?? memory
        let host = device.kind == .cpu && !settings.simulatesDevice ? settings.hostLimit : nil
        return min(settings.deviceLimit ?? .max, host ?? .max, deviceFree)
    }

    private func planner(
        _ request: GenerationRequest, _ settings: MemorySettings?, inLockstep: Bool = false
    ) throws -> Planner {
        let settings = settings ?? memory
        let (demand, parts) = demand(of: request, settings, inLockstep: inLockstep)
        let estimate = try MemoryEstimate(
            demand, deviceKind: device.kind, allocator: .current,
            adapters: loras.shapes(request.loras, mode: request.loraMode))
        let host = try Device.cpu.memory().free + HostMemory.usage().private
        return Planner(
            device: device, settings: settings,
            deviceFree: device.kind == .cpu ? host : deviceFree, hostFree: host, parts: parts,
            demands: estimate.stages.map { Planner.Demand($0, parts) },
            loras: loras.byteCount(request.loras, mode: request.loraMode))
    }

    /// What a request asks of memory, and the weights that it uses.
    func demand(
        of request: GenerationRequest, _ settings: MemorySettings, inLockstep: Bool
    ) -> (MemoryEstimateInput, [Planner.Part]) {
        let branches = request.cfgScale == 1 ? 1 : 2
        var demand = MemoryEstimateInput(
            request, model: .init(architecture), dtype: dtype, threads: Runtime.threads,
            textLength: textLength)
        demand.evaluatesInLockstep = inLockstep
        let parts = [
            part(
                .textEncoder, textEncoder.weights, passes: branches,
                tokens: demand.computedTokens, settings),
            part(.autoencoder, autoencoder.weights, passes: 1, tokens: 0, settings),
            part(
                .transformer, transformer.weights,
                passes: (inLockstep ? 1 : branches) * request.steps,
                tokens: demand.transformerTokens, settings),
        ]
        demand.encoderScratch = parts[0].scratch
        demand.autoencoderScratch = parts[1].scratch
        demand.transformerScratch = parts[2].scratch
        return (demand, parts)
    }

    private func part(
        _ component: Component, _ weights: ManagedWeights, passes: Int, tokens: Int,
        _ settings: MemorySettings
    ) -> Planner.Part {
        let sizes = weights.sizes((settings.storage[component] ?? .asStored).policy)
        return Planner.Part(
            component: component, format: sizes.format, units: sizes.units, small: sizes.small,
            scratch: sizes.scratchBytes(rows: tokens),
            privateBytes: quantizedWillBeMapped ? 0 : sizes.quantized,
            passes: passes, cachedShare: { weights.cachedShare() })
    }

    // MARK: Proposals

    /// Something that would fit, in the words of the command line.
    private func proposal(for request: GenerationRequest) -> String? {
        var attempts: [(words: String, request: GenerationRequest, settings: MemorySettings)] = []
        var strips = request
        strips.tiling = .strips
        attempts.append(("--tiling strips", strips, memory))
        var quantized = memory
        for part in [Component.transformer, .textEncoder] {
            quantized.storage[part] = .int8(on: device, computingIn: dtype)
        }
        attempts.append(("--weights int8", request, quantized))
        for share in [0.75, 0.5, 0.25] {
            var smaller = request
            smaller.inputImage = nil
            smaller.inpainting = nil
            smaller.height = max(16, Int(Double(request.height) * share) / 16 * 16)
            smaller.width = max(16, Int(Double(request.width) * share) / 16 * 16)
            attempts.append(
                ("--height \(smaller.height) --width \(smaller.width)", smaller, memory))
        }
        return attempts.first { attempt in
            (try? fitted(attempt.request, attempt.settings)) != nil
        }?.words
    }
}

extension Planner.Demand {
    init(_ stage: StageMemory, _ parts: [Planner.Part]) {
        let component: Component =
            switch stage.stage {
            case .encode: .textEncoder
            case .images, .decode: .autoencoder
            case .denoise: .transformer
            }
        let scratch = parts.first { $0.component == component }?.scratch ?? 0
        self.init(
            stage: stage.stage.rawValue, component: component, base: stage.base,
            activations: max(0, stage.activations - scratch))
    }
}
