public import Torch

/// The eight values by which DiffSynth-Studio says where the weights of a model are, and in which
/// type, in each stage of their use.
///
/// `offload`: the model is not in use. `onload`: it is. `preparing`: a layer is about to be used and
/// stays. `computation`: it is being used.
public struct StageStorage: Hashable, Sendable {
    /// A type with a place, of which both may be the disk.
    public struct Value: Hashable, Sendable {
        /// Nil is the disk: the type that the file has.
        public var dtype: DType?
        /// Nil is the disk.
        public var device: Device?

        /// Weights stay in their file.
        public static let disk = Value(dtype: nil, device: nil)

        /// A type on a device.
        public init(dtype: DType?, device: Device?) {
            self.dtype = dtype
            self.device = device
        }
    }

    /// While another model is in use.
    public var offload: Value
    /// While this model is in use.
    public var onload: Value
    /// For layers that have been used and stay.
    public var preparing: Value
    /// For the layer that is being used.
    public var computation: Value

    /// Gives all values.
    public init(offload: Value, onload: Value, preparing: Value, computation: Value) {
        self.offload = offload
        self.onload = onload
        self.preparing = preparing
        self.computation = computation
    }

    /// DiffSynth-Studio's low-VRAM configuration of the FLUX.2 models: 8-bit floats, read from the
    /// disk, kept by the host and computed in `dtype` on `device`.
    public static func lowVRAM(dtype: DType = .bfloat16, device: Device) -> StageStorage {
        StageStorage(
            offload: .disk, onload: Value(dtype: .float8e4m3fn, device: .cpu),
            preparing: Value(dtype: .float8e4m3fn, device: device),
            computation: Value(dtype: dtype, device: device))
    }

    /// Whether weights pass through 8-bit floats on their way, which rounds them.
    var isFloat8: Bool {
        [offload, onload, preparing].contains { $0.dtype == .float8e4m3fn }
    }

    /// Refuses what cannot be done, or would be done otherwise than it says.
    ///
    /// - Parameters:
    ///   - name: the component, for messages.
    ///   - device, dtype: what the whole model computes on and in.
    /// - Throws: `RequestError`.
    func check(_ name: String, on device: Device, in dtype: DType) throws {
        func refuse(_ field: String, _ expected: String, _ found: String) -> RequestError {
            RequestError(setting: "\(name).\(field)", expected: expected, found: found)
        }
        let values = [
            ("offload", offload), ("onload", onload), ("preparing", preparing),
            ("computation", computation),
        ]
        for (stage, value) in values {
            guard (value.dtype == nil) == (value.device == nil) else {
                throw refuse(
                    stage, "a dtype and a device, or disk for both",
                    "disk for one of them")
            }
            if let other = value.device, other.kind != .cpu, other.kind != device.kind {
                throw refuse("\(stage)_device", "cpu or \(device)", "\(other)")
            }
            if let type = value.dtype, type != .float8e4m3fn, type != dtype {
                throw refuse("\(stage)_dtype", "\(dtype.name) or float8_e4m3fn", type.name)
            }
        }
        guard computation.dtype == dtype else {
            throw refuse(
                "computation_dtype", "\(dtype.name), in which everything is computed",
                computation.dtype?.name ?? "disk")
        }
        guard computation.device?.kind == device.kind else {
            throw refuse(
                "computation_device", "\(device), on which everything is computed",
                computation.device?.description ?? "disk")
        }
    }
}
