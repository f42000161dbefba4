/// A change of a linear layer's weight, in one of the forms in which changes are trained.
///
/// - Shapes: of the change [out, in].
public enum WeightDelta {
    /// `up · down`; `down` [r, in], `up` [out, r].
    case lowRank(down: Tensor, up: Tensor)
    /// The Kronecker product of [o₁, i₁] and [o₂, i₂]; out = o₁·o₂, in = i₁·i₂.
    case kronecker(Tensor, Tensor)
    /// The product, value by value, of two low-rank matrices.
    case hadamard(up1: Tensor, down1: Tensor, up2: Tensor, down2: Tensor)
    /// The change itself, [out, in].
    case dense(Tensor)
}

extension WeightDelta {
    /// Rows and columns of the change.
    public var shape: [Int] {
        switch self {
        case .lowRank(let down, let up): [up.size(0), down.size(1)]
        case .kronecker(let a, let b): [a.size(0) * b.size(0), a.size(1) * b.size(1)]
        case .hadamard(let up, let down, _, _): [up.size(0), down.size(1)]
        case .dense(let delta): delta.shape
        }
    }

    /// The rank, where the form has one.
    public var rank: Int? {
        switch self {
        case .lowRank(let down, _): down.size(0)
        case .hadamard(_, let down, _, _): down.size(0)
        case .kronecker, .dense: nil
        }
    }

    /// The tensors that the form is made of.
    public var tensors: [Tensor] {
        switch self {
        case .lowRank(let down, let up): [down, up]
        case .kronecker(let a, let b): [a, b]
        case .hadamard(let up1, let down1, let up2, let down2): [up1, down1, up2, down2]
        case .dense(let delta): [delta]
        }
    }

    /// The change as a matrix, computed in the type of `sample`.
    public func matrix(like sample: Tensor) throws -> Tensor {
        func cast(_ x: Tensor) throws -> Tensor {
            try x.to(dtype: sample.dtype, device: sample.device)
        }
        switch self {
        case .lowRank(let down, let up): return try cast(up).matmul(cast(down))
        case .kronecker(let a, let b):
            let (a, b) = try (cast(a), cast(b))
            let grid = try a.reshaped([a.size(0), 1, a.size(1), 1])
            return try (grid * b.reshaped([1, b.size(0), 1, b.size(1)])).reshaped(shape)
        case .hadamard(let up1, let down1, let up2, let down2):
            return try cast(up1).matmul(cast(down1)) * cast(up2).matmul(cast(down2))
        case .dense(let delta): return try cast(delta)
        }
    }

    /// `x Δᵀ` times a factor.
    ///
    /// - Shapes: `x` [..., in] → [..., out].
    func applied(to x: Tensor, scale: Double) throws -> Tensor {
        func cast(_ y: Tensor) throws -> Tensor { try y.to(dtype: x.dtype, device: x.device) }
        switch self {
        case .lowRank(let down, let up):
            // The factor goes into the smaller matrix, as DiffSynth has it.
            return try linear(linear(x, cast(down) * scale), cast(up))
        case .kronecker(let a, let b):
            let lead = Array(x.shape.dropLast())
            let grid = try x.reshaped(lead + [a.size(1), b.size(1)])
            let inner = try linear(grid, cast(b) * scale).transposed(-1, -2)
            return try linear(inner, cast(a)).transposed(-1, -2).reshaped(lead + [shape[0]])
        case .hadamard, .dense: return try linear(x, matrix(like: x) * scale)
        }
    }

    func to(dtype: DType, device: Device) throws -> WeightDelta {
        func cast(_ x: Tensor) throws -> Tensor { try x.to(dtype: dtype, device: device) }
        switch self {
        case .lowRank(let down, let up): return .lowRank(down: try cast(down), up: try cast(up))
        case .kronecker(let a, let b): return .kronecker(try cast(a), try cast(b))
        case .hadamard(let up1, let down1, let up2, let down2):
            return try .hadamard(
                up1: cast(up1), down1: cast(down1), up2: cast(up2), down2: cast(down2))
        case .dense(let delta): return .dense(try cast(delta))
        }
    }

    /// Only some of the rows, in a given order.
    public func rows(_ ranges: [Range<Int>]) throws -> WeightDelta {
        func pick(_ x: Tensor) throws -> Tensor {
            let parts = try ranges.map { try x.slice($0, along: 0) }
            return parts.count == 1 ? parts[0] : try .concatenating(parts, along: 0)
        }
        switch self {
        case .lowRank(let down, let up): return .lowRank(down: down, up: try pick(up))
        case .hadamard(let up1, let down1, let up2, let down2):
            return .hadamard(up1: try pick(up1), down1: down1, up2: try pick(up2), down2: down2)
        case .kronecker(let a, _): return .dense(try pick(matrix(like: a)))
        case .dense(let delta): return .dense(try pick(delta))
        }
    }
}

/// A change that a layer applies beside its weight, with its strength.
///
/// With a magnitude, rows (or columns) of the changed weight are rescaled to given lengths: DoRA.
/// Strength multiplies the whole effect.
public final class Adapter {
    /// The lengths that rows or columns of the changed weight get.
    public enum Magnitude {
        /// [out]
        case rows(Tensor)
        /// [in]
        case columns(Tensor)
    }

    /// The change at scale and strength 1.
    public let delta: WeightDelta
    /// What the change is multiplied with: alpha over rank.
    public let scale: Double
    /// Lengths for the changed weight (DoRA); nil leaves them as they come.
    public let magnitude: Magnitude?
    /// The user's factor; 0 is off.
    public var strength = 1.0
    /// Given over found lengths, computed on first use.
    private var ratio: Tensor?

    /// Takes a change at strength 1.
    public init(_ delta: WeightDelta, scale: Double = 1, magnitude: Magnitude? = nil) {
        self.delta = delta
        self.scale = scale
        self.magnitude = magnitude
    }

    /// The same change in another type and place, at strength 1.
    ///
    /// A low-rank change takes its scale into its matrices, rounded where DiffSynth rounds.
    public func to(dtype: DType, device: Device) throws -> Adapter {
        let moved = try delta.to(dtype: dtype, device: device)
        guard case .lowRank(let down, let up) = moved, scale != 1 else {
            return Adapter(moved, scale: scale, magnitude: magnitude)
        }
        let factor = try Tensor.from([Float(scale)]).to(dtype: dtype, device: device)
        return try Adapter(.lowRank(down: down * factor, up: up), magnitude: magnitude)
    }

    /// What the adapter adds to a layer's output.
    ///
    /// - Parameters:
    ///   - y: what the weight alone gives.
    ///   - weight: the weight in the type of `x`.
    /// - Shapes: `x` [..., in], `y` [..., out] → [..., out].
    func addition(to y: Tensor, of x: Tensor, weight: () throws -> Tensor) throws -> Tensor {
        switch magnitude {
        case nil: return try delta.applied(to: x, scale: scale * strength)
        case .rows:
            let ratio = try ratio(weight).to(dtype: x.dtype, device: x.device)
            let changed = try y + delta.applied(to: x, scale: scale)
            return try (changed * ratio - y) * strength
        case .columns:
            let scaled = try x * ratio(weight).to(dtype: x.dtype, device: x.device)
            let changed = try linear(scaled, weight()) + delta.applied(to: scaled, scale: scale)
            return try (changed - y) * strength
        }
    }

    /// The weight with the change folded in, computed in the weight's type.
    public func merged(into weight: Tensor) throws -> Tensor {
        let change = try delta.matrix(like: weight)
        guard magnitude != nil else { return try weight + change * (scale * strength) }
        let ratio = try ratio { weight }.to(dtype: weight.dtype, device: weight.device)
        let factor = if case .rows = magnitude { try ratio.unsqueezed(1) } else { ratio }
        return try weight + ((weight + change * scale) * factor - weight) * strength
    }

    private func ratio(_ weight: () throws -> Tensor) throws -> Tensor {
        if let ratio { return ratio }
        let exact = try weight().to(dtype: .float32)
        let changed = try exact + delta.matrix(like: exact) * scale
        let found: Tensor
        switch magnitude {
        case .rows(let lengths):
            let length = try changed.square().sum(along: [1]).sqrt()
            found = try lengths.to(dtype: .float32, device: exact.device) / length
        case .columns(let lengths):
            let length = try changed.square().sum(along: [0]).sqrt()
            found = try lengths.to(dtype: .float32, device: exact.device) / length
        case nil: preconditionFailure("an adapter without magnitude has no ratio")
        }
        ratio = found
        return found
    }
}
