internal import CTorch

/// One update of a weight, in place, by a gradient.
///
/// Everything else that an optimizer keeps is given to the method that does the update, which
/// changes it, too. Nothing is recorded for gradients, and temporary memory is a few megabytes but
/// for ``adafactor(_:moments:)``, which takes two `float32` tensors of the weight's size, or three
/// where it rounds stochastically or keeps what was rounded off.
public struct WeightUpdate {
    /// Changed in place; in row-major order.
    public var weight: Tensor
    /// Of the weight's shape.
    public var gradient: Tensor
    /// The learning rate.
    public var rate: Double
    /// The share of a weight, times the rate, that is taken off; or times the weight what is added
    /// to the gradient, where an optimizer does it so.
    public var weightDecay = 0.0
    /// The number of this update of the weight, from 1.
    public var step: Int
    /// How small changes of a `bfloat16` weight are kept.
    public var masterWeights = MasterWeights.none
    /// The tensor of the weight's shape that `masterWeights` needs, of ``MasterWeights/companionType``.
    public var companion: Tensor?
    /// What random numbers follow from, together with the step.
    public var seed: UInt64 = 0

    /// An update without weight decay and master weights.
    public init(_ weight: Tensor, gradient: Tensor, rate: Double, step: Int) {
        self.weight = weight
        self.gradient = gradient
        self.rate = rate
        self.step = step
    }

    private func run(
        _ others: [Tensor], _ body: (UnsafePointer<ct_update>) -> ct_status
    ) throws {
        try withExtendedLifetime((self, others)) {
            var update = ct_update(
                weight: weight.raw, gradient: gradient.raw, companion: companion?.raw,
                master: masterWeights.raw, seed: seed, step: Int64(step), rate: rate,
                weight_decay: weightDecay)
            try check(body(&update))
        }
    }
}

/// The numbers that Adam is set by.
public struct AdamSettings: Hashable, Sendable {
    /// What of the mean of the gradients stays in an update.
    public var beta1: Double
    /// What of the mean of their squares stays in an update.
    public var beta2: Double
    /// Added to the root of the squares before the mean is divided by it.
    public var epsilon: Double

    /// The numbers that PyTorch takes by default.
    public init(betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8) {
        (beta1, beta2) = betas
        self.epsilon = epsilon
    }

    fileprivate func raw(decoupled: Bool) -> ct_adam_settings {
        ct_adam_settings(beta1: beta1, beta2: beta2, epsilon: epsilon, is_decoupled: decoupled)
    }
}

extension WeightUpdate {
    /// Adam (arXiv 1412.6980) as PyTorch computes it one tensor after the other, bit for bit.
    ///
    /// - Parameters:
    ///   - mean: of the gradients, zeros at first; of the weight's shape and type, or `float32`.
    ///   - square: the mean of their squares, likewise.
    ///   - decoupled: whether the weight decays by itself (AdamW, arXiv 1711.05101), or through the
    ///     gradient.
    public func adam(
        _ settings: AdamSettings, mean: Tensor, square: Tensor, decoupled: Bool
    ) throws {
        var settings = settings.raw(decoupled: decoupled)
        try run([mean, square]) { ct_adam($0, &settings, mean.raw, square.raw) }
    }

    /// AdamW with 8-bit moments in blocks of ``eightBitBlock`` with a scale each (arXiv
    /// 2110.02861).
    ///
    /// - Parameters:
    ///   - mean: places in ``dynamicMap(signed:)``, `uint8` of the weight's shape.
    ///   - square: places in the map without sign, likewise.
    ///   - meanScales: the largest magnitude of each block, `float32`, zeros at first.
    ///   - squareScales: likewise.
    public func adam8bit(
        _ settings: AdamSettings, mean: Tensor, square: Tensor, meanScales: Tensor,
        squareScales: Tensor
    ) throws {
        try adam8bit(settings, [mean, square, meanScales, squareScales], byOperations: false)
    }

    /// The same by tensor operations, as other devices than the CPU do it; for tests.
    package func adam8bit(
        _ settings: AdamSettings, _ moments: [Tensor], byOperations: Bool
    ) throws {
        var settings = settings.raw(decoupled: true)
        try run(moments) {
            ct_adam8(
                $0, &settings, moments[0].raw, moments[1].raw, moments[2].raw, moments[3].raw,
                byOperations)
        }
    }

    /// How many neighbors of an 8-bit moment share a scale.
    public static let eightBitBlock = 256

    /// The 256 values that an 8-bit moment can have in units of its scale, smallest first.
    public static func dynamicMap(signed: Bool) throws -> Tensor {
        try Tensor.make { ct_dynamic_map(signed, $0) }
    }

    /// Gradient descent as `torch.optim.SGD` does it, bit for bit.
    ///
    /// - Parameters:
    ///   - buffer: the gradients added up, of the weight's shape and type or `float32`; nil without
    ///     momentum.
    ///   - momentum: what of the buffer stays in an update.
    ///   - dampening: what of a gradient does not go into the buffer.
    ///   - nesterov: whether the momentum is added to the gradient once more.
    public func sgd(
        buffer: Tensor?, momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false
    ) throws {
        var settings = ct_sgd_settings(
            momentum: momentum, dampening: dampening, nesterov: nesterov)
        try run(buffer.map { [$0] } ?? []) { ct_sgd($0, &settings, buffer?.raw) }
    }

    /// The numbers that Adafactor is set by.
    public struct AdafactorSettings: Hashable, Sendable {
        /// Added to squares of gradients.
        public var epsilon = 1e-30
        /// The largest root of the mean square of a change, in units of the rate.
        public var clip = 1.0
        /// Squares of update t are kept by the share `1 - t^power`.
        public var decayPower = -0.8

        /// The numbers that transformers takes by default.
        public init() {}
    }

    /// Adafactor (arXiv 1804.04235) without a first moment and with the rate from outside.
    ///
    /// - Parameter moments: means of squares along the last axis and along the one before it, or for
    ///   a weight of one axis the squares themselves; `float32`, zeros at first.
    public func adafactor(_ settings: AdafactorSettings, moments: [Tensor]) throws {
        var settings = ct_adafactor_settings(
            epsilon: settings.epsilon, clip: settings.clip, decay_power: settings.decayPower)
        try run(moments) { update in
            moments.withHandles { ct_adafactor(update, &settings, $0, $1) }
        }
    }
}

extension Tensor {
    /// The root of the sum of the squares of all elements of all tensors, in `float32`.
    public static func norm(of tensors: [Tensor]) throws -> Double {
        var norm = 0.0
        try tensors.withHandles { try check(ct_norm($0, $1, &norm)) }
        return norm
    }

    /// Multiplies every element, in this tensor's own memory.
    public func scaleInPlace(by factor: Double) throws {
        try withExtendedLifetime(self) { try check(ct_scale_(raw, factor)) }
    }

    /// Moves every element by a share of the way to another tensor's, which may have another type;
    /// in this tensor's own memory and type.
    public func lerpInPlace(to other: Tensor, by share: Double) throws {
        try withExtendedLifetime((self, other)) { try check(ct_average_(raw, other.raw, share)) }
    }
}
