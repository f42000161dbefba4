import FluxTraining
import Foundation
import TestSupport
import Testing

@Suite("Folders of encoded samples")
struct CachedDatasetTests {
    @Test func filesComeInTheOrderOfTheirNumbers() throws {
        let folder = try TemporaryFolder()
        for name in ["0/10", "0/9", "1/0", "0/100", "10/0", "2/0"] {
            let path = folder.file(name + ".safetensors")
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            try Data().write(to: URL(fileURLWithPath: path))
        }
        // What a killed run has left, and what is no sample.
        for name in ["0/.7.safetensors.AbCdEf", "training_args.json"] {
            try Data().write(to: URL(fileURLWithPath: folder.file(name)))
        }
        let found = try CachedDataset(folder: folder.path).samples.map {
            String($0.path.dropFirst(folder.path.count + 1).dropLast(".safetensors".count))
        }
        #expect(found == ["0/9", "0/10", "0/100", "1/0", "2/0", "10/0"])
    }
}
