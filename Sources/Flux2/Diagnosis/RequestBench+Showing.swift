internal import FileSupport
internal import Foundation

extension RequestBench {
    /// Lines for people: what the machine can do, and a table of the stages.
    public var table: String { "\(heading)\n\(machine)\n\n\(stageTable)" }

    private var heading: String {
        let kept = weights.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value)" }.joined()
        return "\(model), \(width)x\(height), \(dtype)\(kept), kernels \(kernels), "
            + "\(threads) threads"
    }

    private var machine: String {
        let numbers = String(
            format: "products %.0f GFLOP/s, memory %.1f GB/s", rates.product / 1e9,
            rates.bandwidth / 1e9)
        let integers = rates.integerProduct.map {
            String(format: ", products of integers %.0f GOP/s", $0 / 1e9)
        }
        return numbers + (integers ?? "")
    }

    private var stageTable: String {
        let head = ["", "times", "seconds", "floor", "of it", "TFLOP", "GFLOP/s", "GB"]
        let rows = stages.map { stage in
            let name = [stage.name, "\(stage.count)", Self.seconds(stage.median)]
            guard stage.work.operations > 0 else { return name + ["", "", "", "", ""] }
            let operations = Double(stage.work.operations)
            return name + [
                Self.seconds(stage.floor), Self.ratio(stage.median, stage.floor),
                String(format: "%.2f", operations / 1e12),
                String(format: "%.0f", operations / stage.median / 1e9),
                String(format: "%.2f", Double(stage.work.bytes) / 1e9),
            ]
        }
        let sum = ["whole", "", Self.seconds(whole), Self.seconds(floor), Self.ratio(whole, floor)]
        return TextTable.columns([head] + rows + [sum + ["", "", ""]])
    }

    private static func seconds(_ value: Double) -> String { String(format: "%.2f", value) }

    private static func ratio(_ value: Double, _ floor: Double) -> String {
        floor > 0 ? String(format: "%.2f", value / floor) : ""
    }

    /// A bar for each stage, all its times together, with its floor in a darker one. The text of an SVG
    /// file.
    public var drawing: String {
        let top = 70
        let most = stages.map { Double($0.count) * max($0.median, $0.floor) }.max() ?? 1
        let scale = 560 / max(most, 1e-9)
        let bars = stages.enumerated().flatMap { index, stage -> [String] in
            let y = top + 34 * index
            let count = Double(stage.count)
            let name = stage.count > 1 ? "\(stage.count) steps" : stage.name
            let words =
                Self.seconds(count * stage.median) + " s"
                + (stage.floor > 0 ? ", \(Self.ratio(stage.median, stage.floor)) of the floor" : "")
            let length = count * max(stage.median, stage.floor) * scale
            return [
                VectorDrawing.text(10, y + 17, name),
                VectorDrawing.box(90, y, count * stage.median * scale, 24, "#a9d6e5"),
                VectorDrawing.box(90, y + 6, count * stage.floor * scale, 12, "#2a6f97"),
                VectorDrawing.text(96 + Int(length), y + 17, words),
            ]
        }
        let legend = [
            VectorDrawing.box(10, 42, 14, 14, "#a9d6e5"), VectorDrawing.text(30, 54, "measured"),
            VectorDrawing.box(110, 42, 14, 14, "#2a6f97"),
            VectorDrawing.text(130, 54, "floor: " + machine),
        ]
        return VectorDrawing.page(
            width: 860, height: top + 34 * stages.count + 10,
            [VectorDrawing.text(10, 24, heading + ": \(Self.seconds(whole)) s")] + legend + bars)
    }
}
