import FluxTraining
import Foundation
import Torch

/// What `flux2 train --dry-run` prints.
struct TrainingPlanTable {
    let plan: TrainingPlan
    let device: Device
    /// Bytes that are free there; nil where the device does not tell.
    let free: Int?
    /// Floating-point operations in a second, measured.
    let rate: Double

    var text: String {
        [subject, memory, verdict, time].joined(separator: "\n\n")
    }

    // MARK: What is done

    private var subject: String {
        let outline = plan.outline
        let processes = outline.processes > 1 ? " on each of \(outline.processes) processes" : ""
        var lines = [
            "trained   \(plan.method)",
            "samples   \(outline.samples)"
                + (plan.heldOut > 0 ? ", and \(plan.heldOut) held out" : "")
                + "; the largest is \(size)",
            "steps     \(outline.steps)\(processes)",
        ]
        if outline.tensors > 0 {
            lines[0] += ": \(outline.trained) values in \(outline.tensors) tensors"
            lines[2] += ", \(outline.updates) updates"
        }
        return lines.joined(separator: "\n")
    }

    private var size: String {
        let (largest, demand) = (plan.largest, plan.demand)
        let references =
            largest.referenceTokens > 0 ? " with \(largest.referenceTokens) of references" : ""
        return "\(largest.image), \(largest.image.tokens) tokens\(references), "
            + "\(demand.tokens) with its caption"
            + (demand.batchSize > 1 ? ", \(demand.batchSize) side by side" : "")
    }

    // MARK: Memory

    private var memory: String {
        let rows = plan.estimate.parts.map { part in
            [part.name, Self.words(part.occasion), Terminal.bytes(part.bytes)]
        }
        let head = ["part", "when", "memory"]
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([head] + rows).map { row in
            row.enumerated().map { index, text in
                let pad = String(repeating: " ", count: widths[index] - text.count)
                return index == 2 ? pad + text : text + pad
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private static func words(_ occasion: TrainingMemoryEstimate.Occasion) -> String {
        switch occasion {
        case .mapped: "mapped from files"
        case .held: "all the time"
        case .step: "in a step"
        case .encoding: "while encoding"
        }
    }

    private var verdict: String {
        let estimate = plan.estimate
        var text = "at most \(Terminal.bytes(estimate.peak)) on \(device)"
        let mapped = estimate.bytes(.mapped)
        if mapped > 0 { text += ", beside \(Terminal.bytes(mapped)) of mapped files" }
        if let free { text += "; \(Terminal.bytes(free)) are free" }
        if let free, estimate.peak > free {
            text += "\n" + Self.advice(plan)
        }
        if !plan.uncounted.isEmpty {
            text += "\nnot counted: " + plan.uncounted.joined(separator: "; ")
        }
        return text
    }

    /// What would make a run that is too large smaller.
    private static func advice(_ plan: TrainingPlan) -> String {
        let demand = plan.demand
        var ways: [String] = []
        if !demand.recomputes { ways.append("--use_gradient_checkpointing") }
        if demand.batchSize > 1 { ways.append("--batch_size 1") }
        if demand.optimizer == .adamw { ways.append("--optimizer adam8bit or adafactor") }
        ways.append("a smaller --max_pixels")
        return "that is more than is free; less take: " + ways.joined(separator: ", ")
    }

    // MARK: Time

    private var time: String {
        let step = plan.work.step / rate
        var lines: [String] = []
        if plan.outline.updates > 0 {
            lines.append(
                "\(Self.number(plan.work.step / 1e12)) TFLOP a step, at \(Self.number(rate / 1e12)) "
                    + "TFLOP/s about \(Terminal.seconds(step)); "
                    + "\(Terminal.seconds(step * Double(plan.outline.steps))) for all steps")
        }
        if plan.work.caption > 0, plan.encodes {
            lines.append(
                "a caption to encode about \(Terminal.seconds(plan.work.caption / rate)); images, "
                    + "checkpoints and sample images come on top")
        }
        return lines.joined(separator: "\n")
    }

    private static func number(_ value: Double) -> String { String(format: "%.3g", value) }
}
