import FluxModels
import Foundation
import TestSupport
import Testing
import Torch

/// An autoencoder with channels enough for every kernel, and weights that keep activations alive.
@Suite(
    "An autoencoder by kernels is as exact as by libtorch",
    .enabled(if: KernelSet.current >= .direct, "needs kernels of AVX-512 with BF16"))
struct AutoencoderKernelTests {
    private let model: Autoencoder
    private let parameters: [Parameter]

    init() throws {
        (model, parameters) = try TinyModel.randomAutoencoder(channels: [128, 160, 192])
    }

    @discardableResult
    private func expectExactness(_ body: (DType) throws -> Tensor) throws -> KernelErrors {
        let errors = try kernelErrors(body)
        #expect(errors.direct <= errors.libtorch, "\(errors)")
        #expect(errors.best <= 1.1 * errors.libtorch, "\(errors)")
        return errors
    }

    @Test func decoding() throws {
        let latents = try Tensor.randn([1, 128, 8, 6], generator: Generator(seed: 2))
            .to(dtype: .bfloat16)
        try expectExactness { try model.decode(latents.to(dtype: $0)) }
    }

    /// A unit whose convolutions are frozen is libtorch's, too, where its shortcut is not.
    @Test func trainedShortcutsHaveGradients() throws {
        let shortcuts = parameters.filter {
            $0.key.contains("decoder") && $0.key.hasSuffix("conv_shortcut.weight")
        }
        #expect(!shortcuts.isEmpty)
        let latents = try Tensor.randn([1, 128, 4, 4], generator: Generator(seed: 6))
        for shortcut in shortcuts { try shortcut.value(like: latents).requireGradient() }
        try withGradients {
            try model.decode(latents.to(dtype: .bfloat16)).square().sum().backward()
        }
        for shortcut in shortcuts {
            let value = try shortcut.value(like: latents)
            let gradient = try #require(try value.gradient(), "\(shortcut.key)")
            #expect(try gradient.square().sum().item() > 0, "\(shortcut.key)")
        }
    }

    /// `FLUX2_REAL_MODEL` names one with weights of its own; random ones draw a smaller image.
    @Test func decodingWithAModelOfRealShapes() throws {
        let real = ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"]
        let model =
            try real.map { try TinyModel(path: $0).autoencoder() }
            ?? TinyModel.randomAutoencoder().0
        let side = real == nil ? 6 : 16
        let latents = try Tensor.randn([1, 128, side, side], generator: Generator(seed: 2))
            .to(dtype: .bfloat16)
        let errors = try expectExactness { try model.decode(latents.to(dtype: $0)) }
        print("decoding, against 32 bits: \(errors)")
    }

    @Test func encoding() throws {
        let image = try Tensor.randn([2, 3, 64, 48], generator: Generator(seed: 3))
            .to(dtype: .bfloat16)
        try expectExactness { try model.encode(image.to(dtype: $0)) }
    }

    @Test(arguments: [KernelSet.direct, .best])
    func stripsAreTheWholeBitForBit(_ set: KernelSet) throws {
        try KernelSet.limited(to: set) {
            try withoutGradients {
                let latents = try Tensor.randn([1, 32, 30, 22], generator: Generator(seed: 4))
                    .to(dtype: .bfloat16)
                let whole = try model.decode(unpatched: latents)
                for held in [0, 1 << 30] {
                    let strips = Strips(heldBytes: held, wholeBytes: 0, stripBytes: 1 << 16)
                    #expect(
                        try strips.decode(unpatched: latents, model).isEqual(to: whole))
                }
                let image = try Tensor.randn([1, 3, 88, 120], generator: Generator(seed: 5))
                    .to(dtype: .bfloat16)
                let strips = Strips(heldBytes: 0, wholeBytes: 0, stripBytes: 1 << 16)
                #expect(
                    try strips.moments(of: image, model)
                        .isEqual(to: model.moments(of: image)))
            }
        }
    }
}
