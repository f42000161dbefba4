internal import Flux2
internal import FluxModels
internal import Imaging
internal import Torch

/// The autoencoder learns to give images back from latents that are a little uncertain.
///
/// The loss is the mean absolute plus the mean squared error of pixels, and the divergence of latents
/// from normal noise, per pixel value as well. With each update the running statistics of latents come
/// along.
final class AutoencoderObjective: TrainingObjective {
    private let autoencoder: Autoencoder
    private let sampler: NoiseSampler
    private let dtype: DType
    private let device: Device
    /// What the divergence is multiplied with.
    private let divergenceWeight: Double
    /// Statistics of the batches since the last update.
    private var seen: [Tensor] = []

    init(
        autoencoder: Autoencoder, sampler: NoiseSampler, dtype: DType, device: Device,
        divergenceWeight: Double
    ) {
        self.autoencoder = autoencoder
        self.sampler = sampler
        self.dtype = dtype
        self.device = device
        self.divergenceWeight = divergenceWeight
    }

    func loss(_ batch: [DrawnSample], epoch: Int, observe: Observer) throws -> Tensor {
        let images = try pixels(of: batch.map(\.loaded))
        let latents = try Latents(autoencoder.moments(of: images, observe: observe))
        let noise = try batch.map { sample in
            try sampler.begin(epoch: epoch, place: sample.placed.place)
            return try sampler.noise(forTokensOf: latents.mean.slice(0..<1, along: 0))
                .transposed(1, 2).reshaped([1] + latents.mean.shape.dropFirst())
        }
        let z = try latents.sampled(.concatenating(noise, along: 0)).to(dtype: dtype).contiguous()
        let error = try self.error(z, images, observe)
        seen.append(
            try withoutGradients { try Autoencoder.statistics(of: latents.mean.detached()) })
        let share = divergenceWeight / Double(images.count)
        return try error + latents.divergence() * share
    }

    /// The statistics follow what all processes have seen.
    func settle(_ group: ProcessGroup) throws {
        try withoutGradients {
            try group.mean(seen)
            for statistics in seen { try autoencoder.updateRunningStatistics(statistics) }
        }
        seen = []
    }

    private func pixels(of samples: [LoadedSample]) throws -> Tensor {
        try .concatenating(samples.compactMap(\.item).map { try pixels(of: $0.image) }, along: 0)
    }

    /// Laid out by channels: gradients of group norms take twice as long on pixels side by side.
    private func pixels(of image: Image) throws -> Tensor {
        try .pixels(of: image, dtype: dtype, device: device).contiguous()
    }

    private func error(_ z: Tensor, _ images: Tensor, _ observe: Observer) throws -> Tensor {
        let result = try autoencoder.decode(unpatched: z, observe: observe).to(dtype: .float32)
        let difference = try result - images.to(dtype: .float32)
        return try difference.abs().mean() + difference.square().mean()
    }

    /// What an image comes back as, from the middle of its latents, nominally from -1 to 1.
    ///
    /// - Shapes: → [1, 3, H, W].
    func reconstructed(_ image: Image) throws -> (image: Tensor, squaredError: Double) {
        let pixels = try pixels(of: image)
        let latents = try Latents(autoencoder.moments(of: pixels))
        let result = try autoencoder.decode(unpatched: latents.mean.to(dtype: dtype))
        let error = try meanSquaredError(
            result.to(dtype: .float32).clamped(to: -1...1), pixels.to(dtype: .float32))
        return (result, try error.item())
    }
}

/// Normal distributions of latents, in float32.
private struct Latents {
    let mean: Tensor
    let logVariance: Tensor

    init(_ moments: Tensor) throws {
        let (mean, logVariance) = try moments.to(dtype: .float32).halves(along: 1)
        self.mean = mean
        self.logVariance = try logVariance.clamped(to: -30...20)
    }

    func sampled(_ noise: Tensor) throws -> Tensor {
        try mean + (logVariance * 0.5).exp() * noise
    }

    /// The Kullback-Leibler divergence from the standard normal distribution, summed over all values.
    func divergence() throws -> Tensor {
        try (mean.square() + logVariance.exp() - logVariance - 1).sum() * 0.5
    }
}

/// Validates an autoencoder: the squared error of held-out images, and what they come back as.
struct AutoencoderValidator: Validator {
    private let objective: AutoencoderObjective
    private let heldOut: [TrainingItem]
    /// Images that are shown.
    private static let shown = 8

    init(_ objective: AutoencoderObjective, heldOut: [TrainingItem]) {
        self.objective = objective
        self.heldOut = heldOut
    }

    var canValidate: Bool { !heldOut.isEmpty }
    var canSample: Bool { !heldOut.isEmpty }

    func heldOutLoss() throws -> Double? {
        guard !heldOut.isEmpty else { return nil }
        return try withoutGradients {
            try heldOut.reduce(0) { sum, item in
                try Task.checkCancellation()
                return try sum + objective.reconstructed(item.image).squaredError
            } / Double(heldOut.count)
        }
    }

    func images() throws -> [ValidationSample] {
        try withoutGradients {
            try heldOut.prefix(Self.shown).map { item in
                let result = try objective.reconstructed(item.image).image.image()
                return ValidationSample(
                    prompt: item.prompt,
                    image: try Image.contactSheet([item.image, result], columns: 2))
            }
        }
    }
}
