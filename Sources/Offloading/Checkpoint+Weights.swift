internal import Checkpoints
internal import Torch

extension Checkpoint {
    /// A weight as it lies in the file, with its scale.
    ///
    /// - Throws: `WeightError` for integers without a scale, and scales that do not fit.
    func weight(at place: WeightLoader.Place) throws -> StoredWeight {
        let weight = try StoredWeight.mapped(place.info, of: place.file)
        let scale = scale(of: place.info.name)
        guard case .dense(let values) = weight else {
            if let scale {
                throw unusable(scale, "scales '\(place.info.name)', which is in blocks")
            }
            return weight
        }
        guard let scale else {
            guard values.dtype.isFloatingPoint else {
                throw WeightError(
                    file: place.file.path, key: place.info.name,
                    reason: .integers(place.info.type.name))
            }
            return weight
        }
        guard [.float8e4m3fn, .float8e5m2, .int8].contains(values.dtype) else {
            throw unusable(
                scale,
                "scales '\(place.info.name)', whose elements of type \(place.info.type.name) "
                    + "are not of 8 bits")
        }
        let factors = try factors(at: scale, for: values)
        let isRotated = try isRotated(place, scale)
        guard !isRotated || (values.dtype == .int8 && factors.shape == [values.size(0), 1]) else {
            throw unusable(scale, "is not of int8 values in rows, each with a scale")
        }
        return .quantized(QuantizedTensor(values, scale: factors, isRotated: isRotated))
    }

    /// Whether a weight's scale is one of rotated rows.
    private func isRotated(_ weight: WeightLoader.Place, _ scale: WeightLoader.Place) throws -> Bool
    {
        guard let rotated = ScaleTensorName.rotatedScale.name(for: weight.info.name),
            self[rotated] != nil
        else { return false }
        guard scale.info.name == rotated else {
            throw unusable(scale, "'\(weight.info.name)' has scales of two kinds")
        }
        return true
    }

    /// A scale in float32: [], [rows, 1] or [rows, groups].
    private func factors(at place: WeightLoader.Place, for values: Tensor) throws -> Tensor {
        let stored = try Tensor.mapped(place.info, of: place.file)
        guard stored.dtype.isFloatingPoint else {
            throw unusable(
                place,
                "has elements of type \(place.info.type.name), expected floating-point numbers")
        }
        let scale = try stored.to(dtype: .float32)
        if scale.count == 1 { return try scale.reshaped([]) }
        let rows = values.shape.first ?? 1
        if scale.shape == [rows] { return try scale.reshaped([rows, 1]) }
        guard scale.rank == 2, scale.size(0) == rows, scale.size(1) > 0,
            values.count / max(1, rows) % scale.size(1) == 0
        else {
            throw unusable(
                place,
                "has shape \(scale.shape), expected one value, [\(rows), 1], or [\(rows), groups] "
                    + "for its weight of shape \(values.shape)")
        }
        return scale
    }
}

/// The error about a scale.
private func unusable(_ place: WeightLoader.Place, _ why: String) -> WeightError {
    WeightError(file: place.file.path, key: place.info.name, reason: .badScale(why))
}
