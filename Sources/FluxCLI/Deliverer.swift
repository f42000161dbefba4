import Flux2
import Imaging
import Safetensors
import Torch

/// Writes what a generation has made and tells about it.
struct Deliverer {
    private let options: OutputOptions
    private let report: Reporter

    init(_ options: OutputOptions, _ report: Reporter) {
        self.options = options
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
        var settings: Settings
        var seconds: Timings
        /// Only with a step cache: how many steps were complete, and how many took over from these.
        var computedSteps: Int?
        var skippedSteps: Int?
        var memory: Memory
    }

    func deliver(
        _ result: GenerationResult, _ settings: Settings, peakPrivate: Int, device: Device
    ) throws {
        try result.image.write(
            to: options.output, metadata: settings.metadata(), quality: options.quality,
            overwrite: options.force)
        if let path = options.saveLatents {
            try result.saveLatents(to: path, overwrite: options.force)
        }
        report.notice(
            "\(options.output): \(result.image.width)x\(result.image.height), "
                + "\(result.timings.text)"
                + (settings.stepCache == nil
                    ? "" : ", \(result.skippedSteps) of \(settings.steps) steps skipped"))
        guard options.json else { return }
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
                    image: options.output, settings: settings, seconds: result.timings,
                    computedSteps: settings.stepCache.map { _ in
                        result.timings.steps.count - result.skippedSteps
                    },
                    skippedSteps: settings.stepCache.map { _ in result.skippedSteps },
                    memory: memory)))
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
