internal import Checkpoints
internal import Torch

/// What is written for each weight of a component, in order.
struct QuantizationPlan {
    struct Item {
        var entry: QuantizationSource.Entry
        /// Nil for a weight that stays as it is.
        var format: QuantizationFormat?
    }

    let items: [Item]

    /// - Throws: `ModelError` for settings that make no sense for the source.
    init(_ source: QuantizationSource, _ settings: QuantizationSettings) throws {
        guard !settings.packsAll || settings.format == .float8 else {
            throw ModelError(
                path: source.location,
                reason: .mismatch(
                    "quantizing all weights is for \(QuantizationFormat.float8.name), not for "
                        + settings.format.name))
        }
        for pattern in settings.excluded + settings.included
        where !source.entries.contains(where: {
            QuantizationSettings.matches(pattern, [$0.name, $0.key])
        }) {
            throw ModelError(
                path: source.location, reason: .mismatch("no weight is called '\(pattern)'"))
        }
        items = source.entries.map { entry in
            let isQuantized = settings.quantizes(
                [entry.name, entry.key], shape: entry.values.shape)
            return Item(entry: entry, format: isQuantized ? settings.format : nil)
        }
        try check(source)
    }

    private func check(_ source: QuantizationSource) throws {
        guard items.contains(where: { $0.format != nil }) else {
            throw ModelError(
                path: source.location, reason: .mismatch("no weight is left to be quantized"))
        }
        for item in items {
            guard let format = item.format, !format.fits(item.entry.values.shape) else { continue }
            throw ModelError(
                path: item.entry.file,
                reason: .mismatch(
                    "'\(item.entry.name)' of shape \(item.entry.values.shape) cannot be quantized as "
                        + "\(format.name): groups have to divide its rows"))
        }
    }

    /// Bytes of all tensors that are written.
    var byteCount: Int {
        items.reduce(0) { sum, item in
            let values = item.entry.values
            guard let format = item.format else { return sum + values.byteCount }
            let scales = format.scaleShape(of: values.shape)?.reduce(4, *) ?? 0
            let note = QuantizationNotes.comfy(format)?.utf8.count ?? 0
            return sum + values.count + scales + note
        }
    }
}
