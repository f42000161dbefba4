internal import Residency
internal import Torch

/// One component: its architecture, where its weights are on disk, and whether they are loaded.
final class ModelPart<Model> {
    let model: Model
    let parameters: [Parameter]
    private let loader: WeightLoader
    private let device: Device
    private let dtype: DType
    /// Bytes of weights in use; nil before they are loaded.
    private(set) var byteCount: Int?

    init(
        _ loader: WeightLoader, device: Device, dtype: DType, build: (Scope) -> Model
    ) {
        let scope = Scope()
        model = build(scope)
        parameters = scope.parameters
        self.loader = loader
        self.device = device
        self.dtype = dtype
    }

    /// Loads the weights unless they are; on the CPU this maps them.
    func load() throws -> Model {
        if byteCount == nil {
            byteCount = try loader.load(parameters, to: device, dtype: dtype)
        }
        return model
    }

    /// Checks what the part has computed; looks for the cause where it is no number.
    ///
    /// - Throws: `WeightError` naming a weight that is not finite, else `ModelError`.
    func requireFinite(_ result: Tensor, _ name: String) throws {
        guard try !result.isFinite().allTrue() else { return }
        try loader.requireFinite(parameters)
        throw ModelError(path: loader.location, reason: .notFinite(name, dtype: dtype.name))
    }

    /// What is still to be read from the disk.
    var pieces: [ReadAhead.Piece] { byteCount == nil ? loader.pieces(for: parameters) : [] }

    /// Frees a device's memory for the next component; mapped weights cost nothing and stay.
    func release() throws {
        guard device.kind != .cpu else { return }
        parameters.forEach { $0.unload() }
        byteCount = nil
        try Runtime.emptyCache(device)
    }
}
