import Flux2
import Imaging
import Torch

/// Makes the pictures of a batch one after the other and delivers each as soon as it is there.
struct PictureMaker {
    let engine: Engine
    let model: String
    let settings: EngineSettings
    let report: Reporter

    func make(_ batch: Batch) async throws {
        var images: [Image] = []
        for (index, job) in batch.jobs.enumerated() {
            if batch.jobs.count > 1 {
                report.notice("picture \(index + 1) of \(batch.jobs.count)")
            }
            let image = try await make(job)
            if batch.sheet != nil { images.append(image) }
        }
        if let sheet = batch.sheet {
            try Image.contactSheet(images).write(
                to: sheet, quality: batch.jobs[0].output.quality,
                overwrite: batch.jobs[0].output.force)
            report.notice("\(sheet): \(images.count) pictures")
        }
    }

    private func make(_ job: Batch.Job) async throws -> Image {
        let watch = MemoryWatch()
        let progress = TerminalProgress(report)
        let (engine, request) = (engine, job.request)
        let result = try await cancellingOnInterrupt {
            try await engine.generate(request) { progress.show($0) }
        }
        progress.finish()
        let settings = Settings(
            request, model: model, dtype: self.settings.dtype, device: self.settings.device,
            weights: self.settings.memory.storage)
        try Deliverer(job.output, report).deliver(
            result, settings, peakPrivate: watch.stop(),
            device: self.settings.device)
        return result.image
    }
}
