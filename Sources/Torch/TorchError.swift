import CTorch

/// A failed call into libtorch.
public struct TorchError: Error, Hashable, CustomStringConvertible {
    /// What kind of failure it was.
    public enum Reason: Hashable, Sendable {
        /// The device or the machine has no memory left.
        case outOfMemory
        /// libtorch has no such operation for this device or type.
        case notImplemented
        /// Anything else, mostly shapes or types that do not fit together.
        case failed
    }

    /// What kind of failure it was.
    public var reason: Reason
    /// libtorch's own words.
    public var message: String

    /// Describes the failure in one line.
    public var description: String {
        let line = message.split(separator: "\n").first.map(String.init) ?? message
        switch reason {
        case .outOfMemory: return "out of memory: \(line)"
        case .notImplemented: return "not available on this device or dtype: \(line)"
        case .failed: return "libtorch: \(line)"
        }
    }
}

/// Turns a status into an error; the message has to be read before any other call is made.
func check(_ status: ct_status) throws {
    guard status != CT_OK else { return }
    if status == CT_CALLBACK_FAILED, let error = CallbackErrors.take() { throw error }
    let reason: TorchError.Reason =
        switch status {
        case CT_OUT_OF_MEMORY: .outOfMemory
        case CT_NOT_IMPLEMENTED: .notImplemented
        default: .failed
        }
    throw TorchError(reason: reason, message: String(cString: ct_last_error()))
}
