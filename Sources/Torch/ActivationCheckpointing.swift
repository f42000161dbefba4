internal import CTorch
internal import Synchronization

/// Whether operations are recorded for gradients on this thread.
var isRecorded: Bool { ct_grad_enabled() }

/// Where recomputation keeps what it starts from.
public enum ActivationCheckpointing: Hashable, Sendable {
    /// Where it is computed.
    case device
    /// In host memory; on the processor that is the same.
    case host
}

/// Runs `body` so that of all it computes only its inputs are kept for gradients; what lies between
/// is recomputed when they are needed.
///
/// What `body` uses besides its inputs gets gradients as well: weights may be trained inside. It has
/// to compute the same each time.
///
/// - Throws: what `body` throws; an error while it runs again comes out of `backward()`.
public func checkpointed(
    _ inputs: [Tensor], outputs: Int, storing memory: ActivationCheckpointing = .device,
    _ body: @escaping ([Tensor]) throws -> [Tensor]
) throws -> [Tensor] {
    let context = Unmanaged.passRetained(CheckpointedBody(body)).toOpaque()
    var results = [ct_tensor?](repeating: nil, count: outputs)
    try inputs.withHandles { handles, count in
        try check(
            ct_checkpoint(
                handles, count, outputs, memory == .host, recompute, context, releaseClosure,
                &results))
    }
    return results.map { raw in
        guard let raw else { preconditionFailure("a successful call wrote no tensor") }
        return Tensor(adopting: raw)
    }
}

/// `x Wᵀ` with a weight that is not kept for gradients, but asked for again.
///
/// - Shapes: `x` [..., in] → [..., out].
func frozenLinear(_ x: Tensor, _ weight: Parameter) throws -> Tensor {
    // The type and the device of `x`, without keeping it.
    let sample = try Tensor.empty([0], dtype: x.dtype, device: x.device)
    let request = WeightRequestBody { try weight.value(like: sample) }
    let context = Unmanaged.passRetained(request).toOpaque()
    return try withExtendedLifetime(x) {
        try Tensor.make { ct_frozen_linear(x.raw, requestWeight, context, releaseClosure, $0) }
    }
}

/// Errors of closures that libtorch has called, until the call that it was part of has ended.
enum CallbackErrors {
    private static let pending = Mutex<(any Error)?>(nil)

    static func put(_ error: any Error) -> ct_status {
        pending.withLock { $0 = $0 ?? error }
        return CT_CALLBACK_FAILED
    }

    static func take() -> (any Error)? {
        pending.withLock { stored in
            defer { stored = nil }
            return stored
        }
    }
}

private final class CheckpointedBody {
    let run: ([Tensor]) throws -> [Tensor]
    init(_ run: @escaping ([Tensor]) throws -> [Tensor]) { self.run = run }
}

private final class WeightRequestBody {
    let load: () throws -> Tensor
    init(_ load: @escaping () throws -> Tensor) { self.load = load }
}

private func releaseClosure(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<AnyObject>.fromOpaque(context).release()
}

private func recompute(
    _ context: UnsafeMutableRawPointer?, _ inputs: UnsafePointer<ct_tensor?>?, _ count: Int,
    _ outputs: UnsafeMutablePointer<ct_tensor?>?, _ outputCount: Int
) -> ct_status {
    guard let context, let outputs else { return CT_ERROR }
    let body = Unmanaged<CheckpointedBody>.fromOpaque(context).takeUnretainedValue()
    do {
        let given = (0..<count).compactMap { inputs?[$0].map(Tensor.init(adopting:)) }
        let results = try body.run(given)
        precondition(results.count == outputCount, "another number of outputs")
        for (place, result) in results.enumerated() {
            outputs[place] = withExtendedLifetime(result) { ct_tensor_retain(result.raw) }
        }
        return CT_OK
    } catch {
        return CallbackErrors.put(error)
    }
}

private func requestWeight(
    _ context: UnsafeMutableRawPointer?, _ out: UnsafeMutablePointer<ct_tensor?>?
) -> ct_status {
    guard let context, let out else { return CT_ERROR }
    let body = Unmanaged<WeightRequestBody>.fromOpaque(context).takeUnretainedValue()
    do {
        let weight = try body.load()
        out.pointee = withExtendedLifetime(weight) { ct_tensor_retain(weight.raw) }
        return CT_OK
    } catch {
        return CallbackErrors.put(error)
    }
}
