internal import TrainingLogs
internal import Flux2
internal import Foundation
internal import Torch

extension TrainingSession {
    /// Goes through all epochs.
    func run(
        goingOnFrom earlier: EarlierRun?, isolation: isolated (any Actor)? = #isolation
    ) async throws -> Trainer.Outcome {
        try earlier.map(resume) ?? begin()
        onEvent(.begun(outline))
        let begun = ContinuousClock.now
        let before = progress.seconds
        do {
            var last: String?
            while progress.epoch < settings.optimization.epochs {
                let finished = try await epoch {
                    self.progress.seconds = before + (ContinuousClock.now - begun) / .seconds(1)
                }
                if !finished { return try stopped() }
                last = try endEpoch() ?? last
            }
            last = try saveEnd() ?? last
            try closeLogs(last)
            return .init(path: last, steps: progress.steps)
        } catch {
            keepState(after: error)
            try? logs?.close(usage: nil)
            throw error
        }
    }

    /// - Parameter tick: called after each step, to bring the clock up to date.
    /// - Returns: false when the run is to stop before the end.
    private func epoch(
        isolation: isolated (any Actor)? = #isolation, tick: () -> Void
    ) async throws -> Bool {
        if progress.batch == 0 { progress.orderSeed = try sampler.orderSeed() }
        let plan = try presentPlan()
        guard progress.batch <= plan.batches.count else {
            throw TrainingError(
                reason: .foreignState(
                    "\(StateFiles(folder: settings.output.folder).newest): 'batch' must be at most "
                        + "\(plan.batches.count), as many as the epoch has, not \(progress.batch)"))
        }
        let rest = plan.batches[progress.batch...]
        var prefetcher = Prefetcher(
            source, numbers: rest.flatMap { $0.map(\.sample) }, workers: settings.data.workers)
        defer { prefetcher.cancel() }
        for batch in rest {
            var samples: [LoadedSample] = []
            for _ in batch {
                guard let loaded = await prefetcher.next() else { break }
                samples.append(try loaded.get())
            }
            try step(
                zip(batch, samples).map { (placed: $0, loaded: $1) },
                isLast: progress.batch + 1 == plan.batches.count)
            tick()
            try inspect()
            try saveStep()
            if try shouldStop() { return false }
        }
        return true
    }

    // MARK: A step

    /// One micro-batch: loss, gradients, and where enough have come together, an update.
    private func step(_ batch: [DrawnSample], isLast: Bool) throws {
        let clock = Stopwatch()
        try Task.checkCancellation()
        let loss = try withGradients {
            let loss = try objective.loss(batch, epoch: progress.epoch) { _, _ in
                try Task.checkCancellation()
            }
            let value = try loss.item()
            guard value.isFinite else { throw lossError(batch) }
            let share = settings.optimization.accumulation
            try (share == 1 ? loss : loss / Double(share)).backward()
            return value
        }
        try parts.endStep()
        progress.batch += 1
        progress.steps += 1
        var report = StepReport(
            step: progress.steps, epoch: progress.epoch, loss: loss, seconds: 0)
        if isLast || progress.batch % settings.optimization.accumulation == 0 {
            (report.rate, report.gradientNorm) = try update()
        }
        report.seconds = clock.seconds
        try logs?.write(report)
        onEvent(.step(report))
    }

    private func update() throws -> (Double, Double) {
        let (rate, norm) = try updater.update()
        try objective.settle(group)
        progress.updates = updater.updates
        boundary = (progress, try sampler.state())
        return (rate, norm)
    }

    /// Looks for the first part of the model that gives NaN.
    private func lossError(_ batch: [DrawnSample]) -> any Error {
        var found: String?
        _ = try? withoutGradients {
            try objective.loss(batch, epoch: progress.epoch) { module, output in
                if found == nil, try !output.isFinite().allTrue() { found = module }
            }
        }
        return TrainingError(step: progress.steps + 1, reason: .lossNotFinite(module: found))
    }

    // MARK: Validation

    /// Images and held-out losses; what fails there ends nothing.
    private func inspect() throws {
        let step = progress.steps
        func isDue(_ every: Int?, _ possible: Bool) -> Bool {
            possible && every.map { step % $0 == 0 } ?? false
        }
        let validates = isDue(settings.validation.validateEvery, validator.canValidate)
        let samples = isDue(settings.validation.sampleEvery, validator.canSample)
        guard validates || samples else { return }
        do {
            // All processes look, so that none has to wait for another at the next update.
            let average = updater.average
            if let average { try average.swap() }
            defer { if let average { try? average.swap() } }
            if validates, let loss = try validator.heldOutLoss() {
                try logs?.write(
                    LogEntry(step: step, values: [.init(LogName.validationLoss, loss)]))
                onEvent(.validated(step: step, loss: loss))
            }
            if samples, group.isFirst {
                for image in try validator.images() { try keep(image) }
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            logs?.warn("step \(step): \(error)")
            onEvent(.warned("step \(step): no look at what was learned: \(error)"))
        }
    }

    private func keep(_ image: ValidationSample) throws {
        let step = progress.steps
        var logged = LoggedImage(step: step, name: image.prompt, image: image.image)
        if var request = image.request, let metadata = settings.validation.metadata {
            if !weights.adapters.isEmpty {
                request.loras = [LoRAUse(path: "step-\(step).safetensors")]
            }
            logged.metadata = metadata(request, step)
        }
        guard let path = try logs?.add(logged) else { return }
        onEvent(
            .sampled(step: step, prompt: image.prompt, image: image.image, path: path))
    }

    // MARK: Stopping

    /// Whether a limit has been reached; only where an update has just been made, and for all
    /// processes alike.
    private func shouldStop() throws -> Bool {
        guard boundary.progress.steps == progress.steps else { return false }
        let limits = settings.optimization
        var isOver = limits.stopAfterSteps.map { progress.steps >= $0 } ?? false
        if let seconds = limits.stopAfterSeconds {
            let mine = progress.seconds >= seconds ? 1.0 : 0
            // Clocks differ between processes.
            isOver = try isOver || group.gather(values: [mine]).contains { $0[0] > 0 }
        }
        return isOver && progress.steps < outline.steps
    }

    private func stopped() throws -> Trainer.Outcome {
        let path = try saveNow("step-\(progress.steps)")
        try closeLogs(path)
        return .init(path: path, steps: progress.steps, isUnfinished: true)
    }

    private func closeLogs(_ path: String?) throws {
        try logs?.close(usage: path.flatMap { Usage.line($0, settings) })
    }
}
