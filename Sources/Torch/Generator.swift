internal import CTorch

/// A source of random numbers, bit for bit PyTorch's generator of the same device and seed.
public final class Generator {
    let raw: ct_generator
    /// Where numbers are drawn; another kind of device draws others from the same seed.
    public let device: Device

    /// Makes a generator.
    ///
    /// - Throws: `TorchError` when the device is not there.
    public init(seed: UInt64, device: Device = .cpu) throws {
        var out: ct_generator?
        try check(ct_generator_create(device.raw, seed, &out))
        guard let out else { preconditionFailure("a successful call wrote no generator") }
        self.raw = out
        self.device = device
    }

    deinit {
        ct_generator_release(raw)
    }

    /// A number that is not negative, as PyTorch's `random_` fills `int64` tensors.
    public func integer() throws -> Int64 {
        try withExtendedLifetime(self) {
            var value: Int64 = 0
            try check(ct_random_int64(raw, &value))
            return value
        }
    }

    /// The state as bytes, to continue the same stream later.
    public func state() throws -> [UInt8] {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_generator_state(raw, $0) }.values()
        }
    }

    /// Continues a stream that `state()` has described.
    public func restore(_ state: [UInt8]) throws {
        let tensor = try Tensor.from(state)
        try withExtendedLifetime((self, tensor)) {
            try check(ct_generator_set_state(raw, tensor.raw))
        }
    }
}
