import FileSupport
import Flux2
import Foundation
import Imaging
import Checkpoints
import Torch

/// Writes what a generation has made and tells about it.
struct ResultWriter {
    private let output: Batch.Output
    private let report: Reporter

    init(_ output: Batch.Output, _ report: Reporter) {
        self.output = output
        self.report = report
    }

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        struct Memory: Encodable {
            var peakPrivateBytes: Int
            var peakResidentBytes: Int
            var peakDeviceBytes: Int?
            /// What the plan had expected, and its stages.
            var predictedPeakBytes: Int
            var predictedPeakBytesOfStages: [String: Int]
            var streamed: Streamed
            var peakPrivateBytesOfStages: MemoryUse
        }

        var image: String
        var settings: GenerationMetadata
        var seconds: Timings
        /// Only with a step cache: how many steps were complete, and how many took over from these.
        var computedSteps: Int?
        var skippedSteps: Int?
        var memory: Memory
    }

    func write(
        _ result: GenerationResult, _ settings: GenerationMetadata, of job: Batch.Job,
        peakPrivate: Int,
        device: Device
    ) throws {
        let path = try write(result, settings, job)
        report.notice(
            "\(path): \(result.image.width)x\(result.image.height), "
                + "\(result.timings.text)"
                + (settings.stepCache == nil
                    ? "" : ", \(result.skippedSteps) of \(settings.steps) steps skipped"))
        guard output.json else { return }
        let memory = Summary.Memory(
            peakPrivateBytes: peakPrivate, peakResidentBytes: HostMemory.peakResident(),
            peakDeviceBytes: device.kind == .cpu ? nil : try device.peakMemory(),
            predictedPeakBytes: result.plan.peak,
            predictedPeakBytesOfStages: Dictionary(
                result.plan.stages.map { ($0.name, $0.total) }, uniquingKeysWith: max),
            streamed: result.streamed, peakPrivateBytesOfStages: result.memory)
        print(
            try JSON.line(
                Summary(
                    image: path, settings: settings, seconds: result.timings,
                    computedSteps: settings.stepCache.map { _ in
                        result.timings.steps.count - result.skippedSteps
                    },
                    skippedSteps: settings.stepCache.map { _ in result.skippedSteps },
                    memory: memory), warnings: report.warnings))
    }

    /// Writes what is not there or may be replaced.
    private func write(
        _ result: GenerationResult, _ settings: GenerationMetadata, _ job: Batch.Job
    ) throws -> String {
        if let path = job.latents,
            !output.skipExisting || !FileManager.default.fileExists(atPath: path)
        {
            try Folder.make(for: path)
            try result.saveLatents(to: path, overwrite: output.force)
        }
        if case .path(let path) = job.place, output.skipExisting, job.place.exists { return path }
        return try job.place.write(
            result.image, metadata: settings.metadata(), quality: output.quality,
            overwrite: output.force)
    }
}

extension Timings {
    /// Seconds per stage for people.
    fileprivate var text: String {
        let all = load + encode + steps.reduce(0, +) + decode
        return "\(Terminal.seconds(all)) (encode \(Terminal.seconds(encode)), denoise "
            + "\(Terminal.seconds(steps.reduce(0, +))), decode \(Terminal.seconds(decode)))"
    }
}
