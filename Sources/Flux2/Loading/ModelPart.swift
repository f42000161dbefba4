package import Offloading
package import Torch

/// One component: its architecture, its weights, and whether they are loaded.
package final class ModelPart<Model> {
    package let model: Model
    package let weights: ManagedWeights
    /// Where the weights shall be from the next use on.
    package var placement = WeightPlacement.resident
    /// Whether weights are on their way for an evaluation that has not ended.
    private var hasBegun = false
    private let loader: WeightLoader
    private let storage: WeightStorage
    private let device: Device
    private let dtype: DType

    package init(
        _ loader: WeightLoader, device: Device, dtype: DType,
        grouping: @escaping ManagedWeights.Grouping,
        staysOnHost: @escaping (Parameter) -> Bool = { _ in false },
        storage: WeightStorage?, keptAsStored: [String] = [], build: (Scope) -> Model
    ) {
        let scope = Scope()
        model = build(scope)
        weights = ManagedWeights(
            loader, scope.parameters, device: device, dtype: dtype, grouping: grouping,
            staysOnHost: staysOnHost,
            policy: (storage ?? .asStored).policy.keeping(keptAsStored))
        self.loader = loader
        self.storage = storage ?? .asStored
        self.device = device
        self.dtype = dtype
    }

    /// Bytes of the largest matrix that is converted each time it is used, as far as it is known
    /// without what it is used with.
    private lazy var scratchBytes = weights.sizes().scratchBytes(rows: 0)

    package var parameters: [Parameter] { weights.parameters }

    /// Whether weights are where they shall be.
    var isLoaded: Bool { weights.placement == placement }

    /// Loads the weights unless they are; on the CPU this maps them.
    ///
    /// - Parameters:
    ///   - passes: how often the model will be evaluated before anything else is.
    ///   - first: the groups of weights after which evaluations may end early; nil if none does.
    package func load(passes: Int, endingEarlyAfter first: Set<String>? = nil) throws -> Model {
        if weights.placement != placement { hasBegun = false }
        try weights.place(placement)
        if !hasBegun { weights.stream?.expect(passes: passes, endingEarlyAfter: first) }
        // Another part may have used it in between, and let it go.
        if scratchBytes > 0 { try Tensor.reserveScratch(scratchBytes, device: device) }
        hasBegun = true
        return model
    }

    /// Checks what the part has computed; looks for the cause where it is NaN.
    ///
    /// - Throws: `WeightError` naming a weight that is not finite, else `ModelError`.
    package func requireFinite(_ result: Tensor, _ name: String) throws {
        guard try !result.isFinite().allTrue() else { return }
        try loader.requireFinite(parameters)
        throw ModelError(path: loader.location, reason: .notFinite(name, dtype: dtype.name))
    }

    /// Whether weights come while they are used, or have to be read before.
    var comesAhead: Bool { placement != .resident }

    /// What is still to be read from the disk, unless it is read when it is used.
    var pieces: [ReadAhead.Piece] {
        isLoaded || placement != .resident ? [] : loader.pieces(for: parameters)
    }

    /// Why LoRAs cannot be folded into the weights; nil when they can.
    var keepsFromFusing: String? {
        if storage != .asStored { return "are kept in 8 bits" }
        guard case .streamed(let resident, _) = placement else { return nil }
        let stay = weights.sizes().units.allSatisfy { resident.contains($0.name) }
        return stay ? nil : "come while they are used"
    }

    /// Refuses a way to keep weights that does not suit all it is meant for.
    package func refuseUnfit() throws {
        guard let format = storage.policy.format,
            let odd = parameters.first(where: {
                storage.policy.quantizes($0) && !format.fits($0.shape)
            })
        else { return }
        throw ModelError(
            path: loader.location,
            reason: .mismatch(
                "cannot be kept as \(storage.name): groups do not divide '\(odd.key)' of shape "
                    + "\(odd.shape)"))
    }

    /// Ends an evaluation, also one that came to no end.
    ///
    /// - Parameter keeps: whether weights stay in a device's memory; mapped ones cost nothing and
    ///   always do.
    package func rest(keeping keeps: Bool) throws {
        hasBegun = false
        try weights.stream?.rest()
        guard !keeps, usesDevice else { return Tensor.releaseScratch() }
        // Memory that stands for a device's is not kept for something else.
        try HostMemory.trimmingPool {
            try weights.release()
            Tensor.releaseScratch()
        }
    }

    /// Whether weights have memory other than that of their files.
    private var usesDevice: Bool {
        if device.kind != .cpu { return true }
        switch placement {
        // Their buffers are no use between stages.
        case .streamed, .directIO: return true
        case .resident, .paged: return false
        }
    }
}
