import FluxTraining
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// Suites of optimizers run one after the other: each calling thread gets workers of its own.
@Suite("Optimizers", .serialized)
struct OptimizerTests {}

/// What other libraries make of weights and gradients, in this repository.
struct OptimizerVectors {
    let settings: [String: Any]
    private let file: SafetensorsFile?

    init(_ name: String, in folder: String = "\(Reference.own)/goldens/optimizers") throws {
        let base = "\(folder)/\(name)"
        let data = try Data(contentsOf: URL(fileURLWithPath: base + ".json"))
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        settings = try #require(json["parameters"] as? [String: Any])
        let tensors = base + ".safetensors"
        file =
            FileManager.default.fileExists(atPath: tensors)
            ? try SafetensorsFile(path: tensors) : nil
    }

    func number(_ key: String) throws -> Double {
        try #require((settings[key] as? NSNumber)?.doubleValue, "no setting '\(key)'")
    }

    func tensor(_ name: String) throws -> Tensor {
        let file = try #require(file)
        return try .mapped(#require(file[name], "no tensor '\(name)'"), of: file)
    }

    /// The names of all tensors that begin so, without that beginning.
    func names(after prefix: String) -> [String] {
        let names = (file?.tensors ?? []).map(\.name)
        return names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// The weights before the first update, as parameters.
    func parameters(_ names: [String]) throws -> [TrainableParameter] {
        try names.map { name in try .leaf(name, tensor("in.\(name)")) }
    }

    /// Gives parameters the gradients of an update.
    func setGradients(_ parameters: [TrainableParameter], update: Int) throws {
        for parameter in parameters {
            try parameter.setGradient(tensor("in.\(parameter.name).grad\(update)"))
        }
    }
}

extension TrainableParameter {
    /// A leaf with values of its own.
    static func leaf(_ name: String, _ values: Tensor) throws -> TrainableParameter {
        let tensor = try values.copy()
        try tensor.requireGradient()
        return TrainableParameter(name, tensor)
    }

    /// Has `gradient()` return these values, in the parameter's type.
    func setGradient(_ gradient: Tensor) throws {
        try tensor.clearGradient()
        let gradient = try gradient.to(dtype: tensor.dtype)
        try withGradients { try (tensor * gradient).sum().backward() }
    }
}

/// Fails unless shapes, types and all bits are the same.
func expectIdentical(
    _ found: Tensor, _ expected: Tensor, _ what: String,
    _ location: SourceLocation = #_sourceLocation
) throws {
    let (a, b) = try (found.detached().contiguous(), expected.detached().contiguous())
    #expect(a.shape == b.shape && a.dtype == b.dtype, "\(what)", sourceLocation: location)
    let isSame = try a.withBytes { a in try b.withBytes { a.elementsEqual($0) } }
    let distance = isSame ? 0 : try distance(a, b)
    #expect(isSame, "\(what): \(distance) away", sourceLocation: location)
}

/// The same bits where libtorch computes as it did for the vectors; elsewhere almost.
func expectReproduced(
    _ found: Tensor, _ expected: Tensor, _ what: String,
    _ location: SourceLocation = #_sourceLocation
) throws {
    if Runtime.cpuCapability == "AVX512" {
        try expectIdentical(found, expected, what, location)
    } else {
        let limit = expected.dtype == .bfloat16 ? 8e-3 : 1e-6
        #expect(try distance(found, expected) < limit, "\(what)", sourceLocation: location)
    }
}

/// The norm of the difference over the norm of what is expected.
func distance(_ found: Tensor, _ expected: Tensor) throws -> Double {
    try withoutGradients {
        let (x, y) = try (found.to(dtype: .float64), expected.to(dtype: .float64))
        let norm = try y.square().sum().item().squareRoot()
        return try (x - y).square().sum().item().squareRoot() / norm
    }
}
