import Foundation
import Offloading
import Checkpoints
import Testing
import Torch

/// One case of a golden stage: its settings, its inputs, and the outputs that were expected.
///
/// It remembers which outputs were compared, so that none is passed over.
public final class Golden {
    public let stage: String
    public let name: String
    /// The whole JSON beside the tensors, or a golden that is JSON only.
    public let json: [String: Any]
    /// The settings of the case.
    public let parameters: [String: Any]
    public let names: [String]
    private let file: SafetensorsFile?
    private var compared: Set<String> = []
    private var left: Set<String> = []
    /// The outputs of which not every bit was the same.
    public private(set) var differing: Set<String> = []

    public init(_ stage: String, _ name: String) throws {
        self.stage = stage
        self.name = name
        let base = Reference.path("goldens/\(stage)/\(name)")
        let data = try Data(contentsOf: URL(fileURLWithPath: base + ".json"))
        json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        parameters = json["parameters"] as? [String: Any] ?? [:]
        let tensors = base + ".safetensors"
        file =
            FileManager.default.fileExists(atPath: tensors)
            ? try SafetensorsFile(path: tensors) : nil
        names = file?.tensors.map(\.name) ?? []
    }

    public var dtype: DType {
        let name = parameters["dtype"] as? String ?? (self.name.hasSuffix("_bf16") ? "bf16" : "f32")
        return name == "bf16" ? .bfloat16 : .float32
    }

    public func string(_ key: String) -> String? { parameters[key] as? String }
    public func number(_ key: String) -> Double? { (parameters[key] as? NSNumber)?.doubleValue }
    public func integer(_ key: String) -> Int? { (parameters[key] as? NSNumber)?.intValue }

    public func input(_ key: String) throws -> Tensor { try tensor("in." + key) }
    public func has(_ key: String) -> Bool { names.contains(key) }

    /// The names of all expected outputs, without their prefix.
    public var outputs: [String] {
        names.filter { $0.hasPrefix("out.") }.map { String($0.dropFirst(4)) }
    }

    /// Which implementation an output is from.
    func source(of key: String) -> String? {
        let outputs = json["outputs"] as? [String: [String: Any]]
        return outputs?[key]?["source"] as? String
    }

    public func tensor(_ key: String) throws -> Tensor {
        let file = try #require(file, "\(stage)/\(name) has no tensors")
        let info = try #require(file[key], "\(stage)/\(name) has no '\(key)'")
        return try .mapped(info, of: file)
    }

    /// Compares an output with what was expected, within the stage's tolerance.
    ///
    /// - Parameter slack: what the expected values themselves are off, relative.
    public func expect(
        _ found: Tensor, _ key: String, slack: Double = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        compared.insert(key)
        let expected = try tensor("out." + key)
        let label = "\(stage)/\(name): \(key)"
        guard expected.shape == found.shape else {
            Issue.record(
                "\(label) has shape \(found.shape), expected \(expected.shape)",
                sourceLocation: sourceLocation)
            return
        }
        var tolerance = Tolerance(stage: stage, dtype: dtype, output: key)
        tolerance.relative += slack
        let verdict = try tolerance.verdict(on: found, expected)
        if try !expected.isIdentical(to: found) { differing.insert(key) }
        #expect(verdict.passes, "\(label): \(verdict)", sourceLocation: sourceLocation)
    }

    /// Leaves outputs to another test.
    public func leave(_ isLeft: (String) -> Bool) { left.formUnion(outputs.filter(isLeft)) }

    /// Fails for outputs that no comparison has looked at, and where bits differ that must not.
    ///
    /// - Returns: how many were compared.
    public func finish(sourceLocation: SourceLocation = #_sourceLocation) -> Int {
        if Identity.isPromised(for: self) {
            for key in differing.sorted() where !Identity.isException(self, key) {
                Issue.record(
                    "\(stage)/\(name): \(key) is not identical", sourceLocation: sourceLocation)
            }
        }
        for key in outputs where !compared.union(left).contains(key) {
            Issue.record(
                "\(stage)/\(name): nothing was compared with '\(key)'",
                sourceLocation: sourceLocation)
        }
        return compared.count
    }
}

/// Runs every case of a stage and says how many there were; none is a failure.
///
/// Cases of bfloat16 are run by the kernels that the processor has, and once more by libtorch alone; all
/// with one thread, as the reference was.
public func runGoldens(
    _ stage: String, where selected: (String) -> Bool = { _ in true },
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (Golden) throws -> Void
) throws {
    let names = try Reference.cases(of: stage).filter(selected)
    #expect(!names.isEmpty, "no case of golden stage '\(stage)'", sourceLocation: sourceLocation)
    let threads = Runtime.threads
    defer { Runtime.threads = threads }
    Runtime.threads = 1
    var (outputs, identical, again) = (0, 0, 0)
    func run(_ golden: Golden) throws {
        try withoutGradients { try body(golden) }
        let count = golden.finish(sourceLocation: sourceLocation)
        outputs += count
        identical += count - golden.differing.count
    }
    for name in names {
        let golden = try Golden(stage, name)
        try run(golden)
        guard golden.dtype == .bfloat16, KernelSet.current > .reference else { continue }
        again += 1
        try KernelSet.limited(to: .reference) { try run(Golden(stage, name)) }
    }
    print(
        "golden \(stage): \(names.count) cases, \(again) of them by libtorch as well, "
            + "\(outputs) outputs compared, \(identical) bit for bit")
}

extension Tensor {
    fileprivate func isIdentical(to other: Tensor) throws -> Bool {
        // Files hold positions in fewer bytes.
        if dtype == .int32, other.dtype == .int64 {
            return try to(dtype: .int64).isIdentical(to: other)
        }
        guard dtype == other.dtype else { return false }
        let (mine, theirs) = try (contiguous(), other.contiguous())
        return try mine.withBytes { a in try theirs.withBytes { a.elementsEqual($0) } }
    }
}
