import Flux2
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Noise is bit for bit the reference's")
    struct Noise {
        @Test func everyCaseAgrees() throws {
            try runGoldens("noise") { golden in
                let stage = NoiseStage(dtype: golden.dtype)
                for output in golden.outputs {
                    let seed = try #require(UInt64(output.split(separator: ".").last ?? ""))
                    if output.hasPrefix("fewer_than_16_values") {
                        let few = try Tensor.randn(
                            golden.tensor("out." + output).shape, generator: Generator(seed: seed),
                            dtype: golden.dtype)
                        try golden.expect(few, output)
                        continue
                    }
                    let shape = try golden.tensor("out.noise.\(seed)").shape
                    let noise = try stage(seed: seed, height: 16 * shape[2], width: 16 * shape[3])
                    let found = output.hasPrefix("packed") ? try LatentTokens.pack(noise) : noise
                    try golden.expect(found, output)
                }
            }
        }
    }
}
