public import FluxModels
public import Torch

/// How long a request takes, stage by stage, beside what the machine cannot do faster.
public struct RequestBench: Hashable, Sendable, Codable {
    /// One stage; of all noise levels, one.
    public struct Stage: Hashable, Sendable, Codable {
        /// Such as `encode` or `step`.
        public var name: String
        /// How often it is done for an image.
        public var count: Int
        /// Seconds each time, in the order they were measured in.
        public var seconds: [Double]
        /// What it has to compute each time.
        public var work: OperationCounts
        /// Seconds below which it cannot be done; see ``MachineRates/floor(of:)``.
        public var floor: Double

        /// Of the times it was measured.
        public var median: Double { seconds.isEmpty ? 0 : seconds.median }
    }

    /// The model, as it was named.
    public var model: String
    /// In pixels.
    public var height: Int
    /// In pixels.
    public var width: Int
    /// The type that was computed in.
    public var dtype: String
    /// How weights are kept, where otherwise than in their files.
    public var weights: [String: String]
    /// The kernels that were allowed.
    public var kernels: String
    /// Threads of the processor.
    public var threads: Int
    /// The best that was measured before, between and behind the rounds.
    public var rates: MachineRates
    /// In the order of a request.
    public var stages: [Stage]
    /// Most private memory, in bytes.
    public var peakPrivateBytes: Int

    /// Seconds of a whole image, of medians.
    public var whole: Double { stages.reduce(0) { $0 + Double($1.count) * $1.median } }
    /// The floor of a whole image.
    public var floor: Double { stages.reduce(0) { $0 + Double($1.count) * $1.floor } }
}

extension RequestBench {
    /// Makes the same image some times, each with a fresh engine, and measures the machine meanwhile.
    ///
    /// - Parameters:
    ///   - model: the name that is shown.
    ///   - rounds: images.
    ///   - engine: makes an engine that remembers no prompts.
    ///   - onRound: told which image is begun.
    ///   - onWarning: told what may make the request another one than was meant.
    /// - Throws: what `Engine.generate` throws.
    public static func measure(
        _ request: GenerationRequest, model: String, device: Device, dtype: DType,
        weights: [Component: WeightStorage], rounds: Int, engine: () -> Engine,
        onRound: (Int) -> Void = { _ in },
        onWarning: @Sendable (String) -> Void = { _ in }
    ) async throws -> RequestBench {
        let watch = PeakMemorySampler()
        var rates = try MachineRates.measure(device, dtype)
        var results: [GenerationResult] = []
        for round in 0..<rounds {
            onRound(round)
            results.append(
                try await engine().generate(request) { event in
                    if case .warned(let text) = event { onWarning(text) }
                })
            rates = try rates.best(with: .measure(device, dtype))
        }
        return RequestBench(
            model: model, height: request.roundedSize.height, width: request.roundedSize.width,
            dtype: dtype.name,
            weights: Dictionary(
                uniqueKeysWithValues: weights.map { ($0.key.rawValue, $0.value.name) }),
            kernels: KernelSet.current.rawValue, threads: Runtime.threads, rates: rates,
            stages: stages(results, rates), peakPrivateBytes: watch.stop())
    }

    private static func stages(
        _ results: [GenerationResult], _ rates: MachineRates
    ) -> [Stage] {
        guard let work = results.first?.work, let steps = results.first?.timings.steps.count else {
            return []
        }
        func stage(
            _ name: String, _ work: OperationCounts, count: Int = 1,
            _ seconds: (Timings) -> [Double]
        ) -> Stage {
            Stage(
                name: name, count: count, seconds: results.flatMap { seconds($0.timings) },
                work: work, floor: rates.floor(of: work))
        }
        var stages = [
            stage("load", OperationCounts()) { [$0.load] },
            stage("encode", work.encode) { [$0.encode] },
        ]
        if work.images.operations > 0 {
            stages.append(stage("pictures", work.images) { [$0.images] })
        }
        return stages + [
            stage("step", work.denoise / steps, count: steps) { $0.steps },
            stage("decode", work.decode) { [$0.decode] },
        ]
    }
}

extension [Double] {
    /// The middle one by size, or the mean of both.
    fileprivate var median: Double {
        let all = sorted()
        return (all[(count - 1) / 2] + all[count / 2]) / 2
    }
}
