internal import CTorch

/// Runs `body` without recording what gradients would need.
///
/// The mode belongs to the thread, hence synchronous closures only.
public func withoutGradients<R>(_ body: () throws -> R) rethrows -> R {
    try withGradients(false, body)
}

/// Runs `body` with gradient recording switched on, or off.
public func withGradients<R>(_ enabled: Bool = true, _ body: () throws -> R) rethrows -> R {
    let before = ct_grad_enabled()
    ct_set_grad_enabled(enabled)
    defer { ct_set_grad_enabled(before) }
    return try body()
}

/// Whether gradient recording is switched on for this thread.
public func recordsGradients() -> Bool { ct_grad_enabled() }

extension Tensor {
    /// Whether operations on this tensor are recorded for gradients.
    public var requiresGradient: Bool {
        withExtendedLifetime(self) { ct_requires_grad(raw) }
    }

    /// Marks a leaf as something to compute gradients for.
    public func requireGradient(_ value: Bool = true) throws {
        try withExtendedLifetime(self) { try check(ct_set_requires_grad(raw, value)) }
    }

    /// The same values, cut off from the recorded computation.
    public func detached() throws -> Tensor { try unary(ct_detach) }

    /// Adds gradients of this tensor to all leaves that asked for them.
    ///
    /// - Parameter gradient: the gradient of this tensor; ones when nil.
    public func backward(_ gradient: Tensor? = nil) throws {
        try withExtendedLifetime((self, gradient)) {
            try check(ct_backward(raw, gradient?.raw))
        }
    }

    /// What `backward()` has collected, if anything.
    public func gradient() throws -> Tensor? {
        try withExtendedLifetime(self) {
            var out: ct_tensor?
            try check(ct_grad(raw, &out))
            return out.map(Tensor.init(adopting:))
        }
    }

    /// Forgets what `backward()` has collected, so that the next call starts anew.
    public func clearGradient() throws {
        try withExtendedLifetime(self) { try check(ct_zero_grad(raw)) }
    }

    /// Replaces what `backward()` has collected.
    ///
    /// - Parameter gradient: of this tensor's shape, type and device.
    public func setGradient(_ gradient: Tensor) throws {
        try withExtendedLifetime((self, gradient)) {
            try check(ct_set_grad(raw, gradient.raw))
        }
    }
}
