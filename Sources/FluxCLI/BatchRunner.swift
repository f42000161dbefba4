import ArgumentParser
import Flux2
import Imaging
import Torch

/// Makes the images of a batch one after the other and delivers each as soon as it is there.
struct BatchRunner {
    let engine: Engine
    let model: String
    let settings: EngineSettings
    let report: Reporter

    /// An image that is made, with what it was made with.
    struct Made {
        var result: GenerationResult
        var settings: GenerationMetadata
        var peakPrivate: Int
    }

    func make(_ batch: Batch) async throws {
        var images: [Image] = []
        for (index, job) in batch.jobs.enumerated() {
            if batch.jobs.count > 1 {
                report.notice("picture \(index + 1) of \(batch.jobs.count)")
            }
            do {
                let image = try await image(of: job, batch.output)
                if batch.sheet != nil { images.append(image) }
            } catch let code as ExitCode where index > 0 {
                tellHowToGoOn(after: index, of: batch)
                throw code
            }
        }
        guard let sheet = batch.sheet else { return }
        let path = try sheet.write(
            .contactSheet(images), quality: batch.output.quality,
            overwrite: batch.output.force || batch.output.skipExisting)
        report.notice("\(path): \(images.count) images")
    }

    /// Where a batch was interrupted, what is made need not be made again.
    private func tellHowToGoOn(after done: Int, of batch: Batch) {
        guard case .path = batch.jobs[done].place else { return }
        report.notice(
            "\(done) of \(batch.jobs.count) images are made; with the same --seed and "
                + "--skip-existing the others are")
    }

    private func image(of job: Batch.Job, _ output: Batch.Output) async throws -> Image {
        if job.isDone, case .path(let path) = job.place {
            return try ExistingImage(path).image(for: job.request, report)
        }
        let made = try await made(job.request)
        try deliver(made, of: job, output)
        return made.result.image
    }

    /// Makes one image, and writes nothing.
    func made(_ request: GenerationRequest) async throws -> Made {
        let watch = PeakMemorySampler()
        let progress = TerminalProgress(report)
        let engine = engine
        let result = try await cancellingOnInterrupt {
            try await engine.generate(request) { progress.show($0) }
        }
        progress.finish()
        let settings = GenerationMetadata(
            request, model: model, dtype: self.settings.dtype, device: self.settings.device,
            weights: self.settings.memory.storage)
        return Made(result: result, settings: settings, peakPrivate: watch.stop())
    }

    /// Writes an image where its job wants it.
    func deliver(_ made: Made, of job: Batch.Job, _ output: Batch.Output) throws {
        var settings = made.settings
        if try job.place.format() != .png { settings.quality = output.quality }
        try ResultWriter(output, report).write(
            made.result, settings, of: job, peakPrivate: made.peakPrivate,
            device: self.settings.device)
    }
}

/// An image that `--skip-existing` leaves as it is.
private struct ExistingImage {
    let path: String

    init(_ path: String) { self.path = path }

    /// The image; says where it is not the one that would be made.
    func image(for request: GenerationRequest, _ report: Reporter) throws -> Image {
        let image = try Image(contentsOf: path)
        let size = request.roundedSize
        let stored = try? GenerationMetadata(ofImage: path)
        if let stored, stored.prompt == request.prompt, stored.seed == request.seed,
            stored.steps == request.steps, stored.width == size.width,
            stored.height == size.height
        {
            report.notice("\(path): is there")
        } else {
            report.warn(
                "\(path): is left as it is, but was "
                    + (stored.map {
                        "made with another prompt, seed, size or number of steps (seed \($0.seed))"
                    }
                        ?? "not made by flux2"))
        }
        return image
    }
}
