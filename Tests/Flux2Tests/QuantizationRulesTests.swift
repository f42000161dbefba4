@testable import Flux2
import FluxModels
import Testing
@testable import Torch

/// Which weights are kept in 8 bits is told twice: for memory, and for files.
@Suite("The two rules of quantization")
struct QuantizationRulesTests {
    private static let models: [(Variant, Component)] = Variant.allCases.flatMap { variant in
        [Component.transformer, .textEncoder].map { (variant, $0) }
    }

    @Test(arguments: models)
    func agreeOnEachWeightOfThePublishedModels(variant: Variant, component: Component) throws {
        let scope = Scope()
        switch ComponentFile(published: variant, component, place: "here").content {
        case .transformer(let found):
            _ = FluxTransformer(scope, try #require(found))
        case .textEncoder(_, let found):
            _ = TextEncoder(scope, try #require(found))
        default: Issue.record("neither transformer nor text encoder")
        }
        let ofFiles = QuantizationSettings(.int8Rows)
        let quantized = scope.parameters.filter(WeightStorage.isBlockMatrix)
        #expect(!quantized.isEmpty)
        for parameter in scope.parameters {
            #expect(
                ofFiles.quantizes([parameter.key], shape: parameter.shape)
                    == WeightStorage.isBlockMatrix(parameter), "\(parameter.key)")
        }
    }
}
