import Flux2
import Foundation
@testable import FluxTraining
import Imaging
import TestSupport

/// Small images with captions, and settings that train the tiny model's LoRA on them.
struct ImageFolder {
    let folder: TemporaryFolder

    var path: String { folder.file("pictures") }

    /// The first, third, … are of the given size, the others lower.
    init(count: Int, width: Int = 64, height: Int = 64) throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.file("pictures"), withIntermediateDirectories: true)
        for number in 0..<count {
            let isOdd = count > 2 && number % 2 == 1
            let image = Image(
                width: isOdd ? width + 32 : width, height: height, red: UInt8(40 * number % 256),
                green: 90, blue: 200)
            try image.write(to: "\(path)/\(number).png")
            try "picture \(number)".write(
                toFile: "\(path)/\(number).txt", atomically: true, encoding: .utf8)
        }
    }

    func files() throws -> TrainingFiles {
        TrainingFiles(try ModelFiles(model: Reference.ownModel("tiny-klein")))
    }

    func settings(_ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.data.base = path
        settings.method.loraBase = try? TrainableModule("dit", option: "")
        settings.method.loraTargets = LoRATargets(#"(single_)?transformer_blocks\..*"#)
        settings.method.loraRank = 4
        settings.optimization.epochs = 2
        settings.checkpointing = .device
        settings.output.folder = folder.file("out")
        settings.output.keepsState = false
        change(&settings)
        return settings
    }
}
