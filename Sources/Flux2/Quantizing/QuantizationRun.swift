internal import Offloading
internal import Checkpoints
internal import Torch

/// Packs one weight after the other when its place in the file is reached.
final class QuantizationRun {
    private let plan: QuantizationPlan
    private let onProgress: (QuantizedCheckpoint.Progress) throws -> Void
    private var report: QuantizationReport
    private var error = QuantizationLoss()
    private var done = 0
    private let total: Int
    /// The scale of the weight that was written last.
    private var scale: Tensor?

    init(
        _ plan: QuantizationPlan, _ report: QuantizationReport,
        _ onProgress: @escaping (QuantizedCheckpoint.Progress) throws -> Void
    ) {
        self.plan = plan
        self.report = report
        self.onProgress = onProgress
        total = plan.items.reduce(0) { $0 + $1.entry.values.byteCount }
        self.report.sourceBytes = total
        self.report.bytes = plan.byteCount
    }

    func finished() -> QuantizationReport {
        report.layers.sort { ($1.error, $0.name) < ($0.error, $1.name) }
        report.error = error.relative
        return report
    }

    func tensors() throws -> [TensorToWrite] {
        let weights = try plan.items.flatMap { item in
            guard let format = item.format else { return [try kept(item.entry)] }
            return try [quantized(item.entry, format)] + scale(item.entry, format)
        }
        return weights + plan.items.flatMap(note)
    }

    private func kept(_ entry: QuantizationSource.Entry) throws -> TensorToWrite {
        report.kept.append(entry.name)
        return TensorToWrite(
            name: entry.name, type: try type(of: entry.values, entry), shape: entry.values.shape
        ) { sink in
            try entry.values.contiguous().withBytes { try sink($0) }
            try self.advance(entry)
        }
    }

    private func quantized(
        _ entry: QuantizationSource.Entry, _ format: QuantizationFormat
    ) throws -> TensorToWrite {
        let type: ElementType = format.dtype == .int8 ? .I8 : .F8_E4M3
        return TensorToWrite(name: entry.name, type: type, shape: entry.values.shape) { sink in
            let weight = try QuantizedTensor.quantizing(entry.values, as: format)
            let error = try weight.loss(from: entry.values)
            guard error.relative.isFinite, error.weight.isFinite else {
                throw WeightError(file: entry.file, key: entry.source, reason: .notFinite)
            }
            let output = try weight.isRotated ? weight.outputLoss(from: entry.values) : nil
            self.report.layers.append(
                .init(
                    name: entry.name, shape: entry.values.shape, error: error.relative,
                    outputError: output?.relative))
            self.error = self.error + error
            self.scale = weight.scale
            try weight.values.withBytes { try sink($0) }
            try self.advance(entry)
        }
    }

    private func scale(_ entry: QuantizationSource.Entry, _ format: QuantizationFormat)
        -> [TensorToWrite]
    {
        guard let shape = format.scaleShape(of: entry.values.shape) else { return [] }
        return [
            TensorToWrite(
                name: layer(entry) + (format == .int8Rotated ? ".rotated_scale" : ".weight_scale"),
                type: .F32, shape: shape
            ) { sink in
                try self.scale?.withBytes { try sink($0) }
            }
        ]
    }

    private func note(_ item: QuantizationPlan.Item) -> [TensorToWrite] {
        guard let text = item.format.flatMap(QuantizationNotes.comfy) else { return [] }
        let bytes = Array(text.utf8)
        return [
            TensorToWrite(
                name: layer(item.entry) + ".comfy_quant", type: .U8, shape: [bytes.count],
                bytes: bytes)
        ]
    }

    private func layer(_ entry: QuantizationSource.Entry) -> String {
        entry.name.hasSuffix(".weight") ? String(entry.name.dropLast(7)) : entry.name
    }

    private func type(
        of values: Tensor, _ entry: QuantizationSource.Entry
    ) throws -> ElementType {
        guard let type = ElementType(values.dtype) else {
            throw WeightError(
                file: entry.file, key: entry.source, reason: .unsupportedType(values.dtype.name))
        }
        return type
    }

    private func advance(_ entry: QuantizationSource.Entry) throws {
        done += entry.values.byteCount
        try onProgress(.init(name: entry.name, done: done, total: total))
    }
}
