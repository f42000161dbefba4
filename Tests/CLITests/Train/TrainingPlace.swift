import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

/// A small data set and a place for what is trained on it.
final class TrainingPlace {
    let folder: TemporaryFolder
    var data: String { file("data") }

    /// - Parameter count: images of 32x32 pixels, or a little more, that differ.
    init(images count: Int = 3) throws {
        folder = try TemporaryFolder()
        try Self.write(count, to: data)
    }

    /// Images and their `metadata.csv`.
    static func write(_ count: Int, to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var rows = "image,prompt\n"
        for number in 0..<count {
            try image(number).write(to: "\(folder)/\(number).png")
            rows += "\(number).png,picture \(number)\n"
        }
        try rows.write(toFile: folder + "/metadata.csv", atomically: true, encoding: .utf8)
    }

    /// A texture that follows from a number.
    static func image(_ number: Int, width: Int = 36, height: Int = 32) -> Image {
        let pixels = (0..<3 * width * height).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) }
        return Image(width: width, height: height, pixels: pixels)
    }

    func file(_ name: String) -> String { folder.file(name) }

    func contents(_ name: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: file(name))) ?? []).sorted()
    }

    func bytes(_ name: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: file(name)))
    }

    // MARK: Runs

    static let lora = [
        "--lora_base_model", "dit", "--lora_target_modules", #".*\.0\.attn\.to_.*"#, "--lora_rank",
        "2",
    ]
    static let full = ["--trainable_models", "dit"]

    /// What a run needs that takes a second; options that are given again count.
    func arguments(_ more: [String], output: String = "out") -> [String] {
        [
            "train", "--dataset_base_path", data, "--dataset_metadata_path", data + "/metadata.csv",
            "--model", Reference.ownModel("tiny-klein"), "--text_length", "48", "--seed", "5",
            "--output_path", file(output), "--device", "cpu", "--threads", "1",
        ] + more
    }

    func run(_ more: [String], output: String = "out") throws -> Program.Outcome {
        try Program.run(arguments(more, output: output))
    }

    /// Runs what has to succeed.
    @discardableResult
    func train(
        _ more: [String], output: String = "out", sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Program.Outcome {
        let outcome = try run(more, output: output)
        #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
        return outcome
    }

    /// The losses of a run that was asked for `--enable_csv_log`.
    func losses(_ output: String = "out") throws -> [String] {
        try String(contentsOfFile: file(output) + "/loss.csv", encoding: .utf8)
            .split(separator: "\n").filter { $0.contains(",loss,") }.map(String.init)
    }
}

/// A checkpoint's tensors by name, with type and shape.
func tensorShapes(_ path: String) throws -> [String: String] {
    let tensors = try SafetensorsFile(path: path).tensors
    return Dictionary(tensors.map { ($0.name, "\($0.type) \($0.shape)") }) { first, _ in first }
}

/// Two files have the same tensors, whatever they say about themselves.
func expectSameTensors(
    _ first: String, _ second: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let (a, b) = try (SafetensorsFile(path: first), SafetensorsFile(path: second))
    #expect(a.tensors == b.tensors, sourceLocation: sourceLocation)
    for (mine, other) in zip(a.tensors, b.tensors) {
        #expect(
            a.bytes(of: mine).elementsEqual(b.bytes(of: other)), "\(mine.name)",
            sourceLocation: sourceLocation)
    }
}
