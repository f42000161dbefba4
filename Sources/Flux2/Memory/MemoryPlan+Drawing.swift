internal import FileSupport
extension MemoryPlan.Share {
    fileprivate var color: String {
        switch self {
        case .base: "#8d99ae"
        case .weights: "#2a6f97"
        case .slots: "#61a5c2"
        case .scratch: "#a9d6e5"
        case .loras: "#9b5de5"
        case .activations: "#f4a261"
        case .mapped: "#e9ecef"
        }
    }
}

extension MemoryPlan {
    /// The plan as a drawing: a bar for each stage, the budget as a line, and for each part a band of
    /// its groups of weights, dark ones staying. The text of an SVG file.
    public var drawing: String {
        let bandTop = 60 + 34 * stages.count + 50
        let height = bandTop + 56 * components.count + 30
        return VectorDrawing.page(
            width: 860, height: height, stageBars + budgetLine + legend + bands(from: bandTop))
    }

    private var scale: Double {
        let most = stages.map { $0.total + $0.mapped }.max() ?? 1
        return 640 / Double(max(most, min(deviceBudget, 2 * most), 1))
    }

    private var stageBars: [String] {
        stages.enumerated().flatMap { index, stage in
            let top = 60 + 34 * index
            var x = 90.0
            var parts = [VectorDrawing.text(10, top + 17, stage.name)]
            for share in shares {
                let width = Double(share.bytes(stage)) * scale
                parts.append(VectorDrawing.box(x, top, width, 24, share.color))
                x += width
            }
            parts.append(VectorDrawing.text(Int(x) + 6, top + 17, "\(Self.gib(stage.total)) GiB"))
            return parts
        }
    }

    private var budgetLine: [String] {
        let x = 90 + Double(deviceBudget) * scale
        guard x <= 731 else { return [] }
        let bottom = 60 + 34 * stages.count
        return [
            VectorDrawing.box(x, 46, 2, bottom - 46, "#d62828"),
            VectorDrawing.text(
                Int(x) - 4, 42, "\(Self.gib(deviceBudget)) GiB on \(device)",
                "text-anchor=\"end\" fill=\"#d62828\""),
        ]
    }

    private var legend: [String] {
        shares.enumerated().flatMap { index, share in
            let x = 10 + 110 * index
            return [
                VectorDrawing.box(Double(x), 10, 14, 14, share.color),
                VectorDrawing.text(x + 20, 22, share.title),
            ]
        }
    }

    private func bands(from top: Int) -> [String] {
        components.enumerated().flatMap { index, part in
            let y = top + 56 * index
            let words =
                "\(part.name), \(part.format): \(Self.gib(part.resident)) GiB stay"
                + (part.streamed > 0
                    ? ", \(Self.gib(part.streamed)) GiB come from \(part.source ?? "–") "
                        + "for each of \(part.passes) evaluations" : "")
            let total = Double(max(1, part.units.reduce(0) { $0 + $1.bytes }))
            var x = 10.0
            return [VectorDrawing.text(10, y, words)]
                + part.units.map { unit in
                    let width = 840 * Double(unit.bytes) / total
                    defer { x += width }
                    return VectorDrawing.box(
                        x, y + 8, max(width - 1, 0.5), 20, unit.stays ? "#2a6f97" : "#cfe3ee")
                }
        }
    }
}
