import FluxModels
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Positions and rotations reproduce the reference")
    struct Rope {
        @Test func everyCaseAgrees() throws {
            try runGoldens("rope") { golden in
                if golden.name == "ids" { try positions(golden) } else { try rotation(golden) }
            }
        }

        private func positions(_ golden: Golden) throws {
            let tokens = try #require(golden.integer("text_tokens"))
            let image = try #require(golden.parameters["image"] as? [Int])
            let references = try #require(golden.parameters["references"] as? [[Int]])
            try golden.expect(Positions.text(tokens).unsqueezed(0), "text_ids")
            try golden.expect(
                Positions.grid(rows: image[0], columns: image[1]).unsqueezed(0), "image_ids")
            let grids = try references.enumerated().map { index, size in
                try Positions.grid(
                    rows: size[0], columns: size[1], time: Positions.time(ofReference: index))
            }
            try golden.expect(
                .concatenating(grids, along: 0).unsqueezed(0), "edit_image_ids")
        }

        private func rotation(_ golden: Golden) throws {
            let axes = try #require(golden.parameters["axes_dims_rope"] as? [Int])
            let theta = try #require(golden.number("rope_theta"))
            let table = try RotaryTable(
                positions: golden.input("ids"), axes: axes, theta: theta)
            let (cosines, sines) = try table.cosinesAndSines()
            try golden.expect(cosines, "cos")
            try golden.expect(sines, "sin")
            try golden.expect(table(golden.input("x_f32")), "rotated_f32")
            let half = try table(golden.input("x_bf16"))
            #expect(half.dtype == .bfloat16)
            try golden.expect(half, "rotated_bf16")
        }
    }
}
