import ArgumentParser
import Foundation
import Torch

/// One process of `flux2 launch --self-test`.
struct DistributedSelfTest: ParsableCommand {
    static let name = "check-group"
    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Check that the processes of a launcher reach each other.",
        shouldDisplay: false)

    @Option(help: "Device: cpu or cuda.")
    var device = "cpu"

    @Option(help: "Megabytes for the measurement.")
    var megabytes = 64

    @Option(help: "Exchanges to measure.")
    var rounds = 3

    @Option(help: "Seconds to wait for other processes.")
    var timeout = 60

    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        struct Check: Encodable {
            var name: String
            var wrongRanks: Int
        }

        struct Speed: Encodable {
            var dtype: String
            var bytes: Int
            var seconds: Double

            var line: String {
                let rate = Terminal.bytes(Int(Double(bytes) / max(seconds, 1e-9)))
                return "\(dtype) \(bytes / 1_000_000) MB averaged in "
                    + "\(Terminal.seconds(seconds)), \(rate)/s"
            }
        }

        var processes: Int
        var checks: [Check] = []
        var speeds: [Speed] = []
    }

    func validate() throws {
        guard let device = Device(name: device), device.kind != .mps, device.index == nil else {
            throw ValidationError("--device must be cpu or cuda, not \(self.device)")
        }
    }

    func run() throws {
        let environment = try DistributedEnvironment.read()
        let place = self.device == "cpu" ? Device.cpu : Device(.cuda, index: environment?.localRank)
        let group = try ProcessGroup(environment, device: place, timeout: .seconds(timeout))
        let talks = group.isFirst && !result.json
        var found = Summary(processes: group.size)
        for (name, isRight) in try Checks(group: group, device: place).all() {
            let wrong = try group.gather(values: [isRight ? 0 : 1]).filter { $0 != [0] }.count
            found.checks.append(.init(name: name, wrongRanks: wrong))
            if talks { print(Self.row(name, wrong == 0 ? "right" : "WRONG on \(wrong) ranks")) }
        }
        if group.isFirst { result.report.notice("measuring") }
        for dtype in [DType.float32, .bfloat16] {
            let speed = try measure(dtype, group, place)
            found.speeds.append(speed)
            if talks { print(Self.row("speed", speed.line)) }
        }
        // Who leaves while others still read may take what they read away.
        try group.barrier()
        if group.isFirst, result.json {
            print(try JSON.line(found, warnings: result.report.warnings))
        }
        if found.checks.contains(where: { $0.wrongRanks > 0 }) { throw Exit.failed.code }
    }

    private static func row(_ name: String, _ value: String) -> String {
        name.padding(toLength: 16, withPad: " ", startingAt: 0) + value
    }

    private func measure(
        _ dtype: DType, _ group: ProcessGroup, _ device: Device
    ) throws -> Summary.Speed {
        let count = megabytes * 1_000_000 / dtype.byteCount
        let tensor = try Tensor.ones([count], dtype: dtype, device: device)
        try group.mean([tensor])
        let begun = ContinuousClock.now
        for _ in 0..<rounds { try group.mean([tensor]) }
        let seconds = (ContinuousClock.now - begun) / .seconds(1) / Double(rounds)
        return .init(dtype: dtype.name, bytes: tensor.byteCount, seconds: seconds)
    }
}

/// What each operation gives, and whether that is right here.
private struct Checks {
    let group: ProcessGroup
    let device: Device

    private var total: Double { Double(group.size * (group.size + 1) / 2) }

    func all() throws -> [(name: String, isRight: Bool)] {
        try [
            ("all-reduce", sums(.float32) && sums(.bfloat16) && sums(.int64)),
            ("mean", mean()), ("reduce", meansForOne()), ("broadcast", broadcast()),
            ("all-gather", gather()), ("reduce-scatter", scatter()), ("barrier", barrier()),
        ]
    }

    private func own(_ shape: [Int], _ dtype: DType = .float32) throws -> Tensor {
        try Tensor.full(shape, Double(group.rank + 1), dtype: dtype, device: device)
    }

    private func holds(_ tensor: Tensor, _ value: Double) throws -> Bool {
        try tensor.values(as: Double.self).allSatisfy { $0 == value }
    }

    private func sums(_ dtype: DType) throws -> Bool {
        let tensors = try [own([1000], dtype), own([3, 4], dtype)]
        try group.sum(tensors)
        return try tensors.allSatisfy { try holds($0, total) }
    }

    private func mean() throws -> Bool {
        let tensor = try own([5])
        try group.mean([tensor])
        return try tensor.values(as: Double.self)
            .allSatisfy { abs($0 - total / Double(group.size)) < 1e-5 }
    }

    private func meansForOne() throws -> Bool {
        let tensor = try own([5]) * Double(group.size)
        try group.mean([tensor], to: group.size - 1)
        return try group.rank < group.size - 1
            || tensor.values(as: Double.self).allSatisfy { abs($0 - total) < 1e-3 }
    }

    private func broadcast() throws -> Bool {
        let tensors = try [own([7], .bfloat16), own([2])]
        try group.broadcast(tensors, from: group.size - 1)
        return try tensors.allSatisfy { try holds($0, Double(group.size)) }
    }

    private func gather() throws -> Bool {
        let all = try group.gather(own([2, 2]))
        return try all.enumerated().allSatisfy { try holds($1, Double($0 + 1)) }
    }

    private func scatter() throws -> Bool {
        try holds(group.scatterSum(own([2 * group.size, 3])), total)
    }

    private func barrier() throws -> Bool {
        try group.barrier()
        return true
    }
}
