internal import FileSupport
internal import Foundation

extension MemoryPlan {
    /// What takes memory, in the order in which it is shown.
    enum Share: CaseIterable {
        case base, weights, slots, scratch, loras, activations, mapped

        var title: String {
            switch self {
            case .base: "process"
            case .weights: "weights"
            case .slots: "slots"
            case .scratch: "scratch"
            case .loras: "LoRA"
            case .activations: "computing"
            case .mapped: "mapped"
            }
        }

        var letter: Character {
            switch self {
            case .base: "▒"
            case .weights: "█"
            case .slots: "▓"
            case .scratch: "▞"
            case .loras: "▚"
            case .activations: "░"
            case .mapped: "·"
            }
        }

        func bytes(_ stage: StagePlan) -> Int {
            switch self {
            case .base: stage.base
            case .weights: stage.weights
            case .slots: stage.slots
            case .scratch: stage.scratch
            case .loras: stage.loras
            case .activations: stage.activations
            case .mapped: stage.mapped
            }
        }
    }

    /// The shares that are anything in some stage.
    var shares: [Share] {
        Share.allCases.filter { share in stages.contains { share.bytes($0) > 0 } }
    }

    /// Lines for people: a table of stages in GiB, a bar for each, and where the weights are.
    public var table: String {
        [stageTable, bars, componentTable, summary].joined(separator: "\n\n")
    }

    static func gib(_ bytes: Int) -> String {
        bytes == 0 ? "–" : String(format: "%.2f", Double(bytes) / Double(1 << 30))
    }

    private var stageTable: String {
        let head = ["GiB"] + shares.map(\.title) + ["on \(device)"]
        let rows = stages.map { stage in
            [stage.name] + shares.map { Self.gib($0.bytes(stage)) } + [Self.gib(stage.total)]
        }
        return TextTable.columns([head] + rows)
    }

    /// A bar for each stage; a line stands where the budget ends.
    private var bars: String {
        let width = 60
        let most = stages.map { $0.total + $0.mapped }.max() ?? 1
        let budget = min(deviceBudget, 2 * most)
        let scale = Double(width) / Double(max(most, budget, 1))
        let label = stages.map(\.name.count).max() ?? 0
        let lines = stages.map { stage in
            let text = shares.reduce(into: "") { text, share in
                let count = Int((Double(share.bytes(stage)) * scale).rounded())
                text += String(repeating: share.letter, count: count)
            }
            var cells = Array(
                text.padding(toLength: width + 1, withPad: " ", startingAt: 0))
            let end = min(width, Int((Double(budget) * scale).rounded()))
            if deviceBudget <= 2 * most { cells[end] = "│" }
            let name = stage.name.padding(toLength: label, withPad: " ", startingAt: 0)
            return "\(name)  \(String(cells))"
        }
        let legend = shares.map { "\($0.letter) \($0.title)" }.joined(separator: "   ")
        return (lines + [String(repeating: " ", count: label + 2) + legend])
            .joined(separator: "\n")
    }

    private var componentTable: String {
        let head = ["part", "kept as", "GiB", "stays", "comes", "from", "times"]
        return TextTable.columns(
            [head]
                + components.map { part in
                    [
                        part.name, part.format, Self.gib(part.bytes), Self.gib(part.resident),
                        Self.gib(part.streamed), part.source ?? "–", "\(part.passes)",
                    ]
                })
    }

    /// What is worth saying about it when an image is made: nothing where all fits.
    public var remarks: [String] {
        let streaming = components.filter { $0.streamed > 0 }.map { part in
            "memory: \(Self.gib(part.streamed)) of \(Self.gib(part.bytes)) GiB of the "
                + "\(part.name) come from the \(part.source ?? "file") each time they are used"
        }
        return streaming + (usesStrips ? ["memory: the image is decoded in strips"] : [])
    }

    private var summary: String {
        var lines = [
            "at most \(Self.gib(peak)) of \(Self.gib(deviceBudget)) GiB on \(device); "
                + "the host has \(Self.gib(hostBudget)) GiB"
        ]
        if usesStrips { lines.append("the image passes the autoencoder in strips") }
        return lines.joined(separator: "\n")
    }
}
