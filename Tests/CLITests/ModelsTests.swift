import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 models", .serialized)
    struct Models {
        /// A base model's folder may hold its transformer alone; the rest is the distilled one's.
        @Test func baseModelsBorrowFromTheirCompanions() throws {
            let folder = try TemporaryFolder()
            let owner = folder.file("black-forest-labs")
            try FileManager.default.createDirectory(
                atPath: owner + "/FLUX.2-klein-base-4B", withIntermediateDirectories: true)
            let tiny = Reference.ownModel("tiny-klein")
            try FileManager.default.copyItem(atPath: tiny, toPath: owner + "/FLUX.2-klein-4B")
            try FileManager.default.copyItem(
                atPath: tiny + "/transformer",
                toPath: owner + "/FLUX.2-klein-base-4B/transformer")
            let places = ["FLUX2_MODELS": folder.path]
            let list = try Program.run(["models"], environment: places)
            #expect(list.status == 0, "\(list.errors)")
            #expect(list.output.contains("on disk     \(owner)/FLUX.2-klein-base-4B\n"))
            #expect(list.output.contains("not on this machine"))
            let outcome = try Program.run(
                [
                    "generate", "a fox", "--model", "klein-base-4b", "--height", "64", "--width",
                    "64", "--steps", "1", "--output", folder.file("a.png"),
                ], environment: places)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("preset 'klein-base-4b': cfg-scale 4.0"))
        }

        @Test func aModelThatIsNotThereIsLookedForEverywhere() throws {
            let outcome = try Program.run(["generate", "a fox", "--model", "klein-9b"])
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("black-forest-labs/FLUX.2-klein-9B"))
        }
    }
}
