import ArgumentParser
import Flux2
import Foundation

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a file or a model's folder holds, or how an image was made.")

    @Argument(
        help: "A .safetensors or .gguf file, an index, a folder, emoji, or an image.",
        completion: .file())
    var path: String?

    @Option(name: .shortAndLong, help: "The same as <path>.", completion: .file())
    var model: String?

    @OptionGroup var result: ResultOptions

    func validate() throws { _ = try place() }

    private func place() throws -> String {
        try Positions.values(
            of: [.init(name: "path", option: "model", named: model)], words: [path])[0]
    }

    func run() throws {
        let path = try place()
        if ImageFileFormat.of(path) != nil {
            return try show([ImageInspection(path)], \.text)
        }
        try show(Inspection.of(path), Self.text)
    }

    /// Prints an array, or a paragraph for each part.
    private func show<Part: Encodable>(_ parts: [Part], _ text: (Part) -> String) throws {
        print(
            result.json
                ? try JSON.lines(parts) : parts.map(text).joined(separator: "\n\n"))
    }

    private static func text(_ part: Inspection) -> String {
        let types = part.types.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
            "\($0.key) (\($0.value), \(Terminal.bytes(part.typeBytes[$0.key] ?? 0)))"
        }
        var lines = [
            part.path,
            "  component   \(part.component ?? "nothing that FLUX.2 uses")",
        ]
        if let model = part.model { lines.append("  model       \(model)") }
        if let name = part.architecture { lines.append("  gguf kind   \(ShownText.line(name))") }
        if let layout = part.layout { lines.append("  layout      \(layout)") }
        lines += [
            "  tensors     \(part.tensors) in \(part.files) file\(part.files == 1 ? "" : "s")",
            "  types       \(types.joined(separator: ", "))",
            "  parameters  \(part.parameters.formatted(.number.locale(.init(identifier: "en"))))",
            "  size        \(Terminal.bytes(part.bytes))",
            "  key hash    \(part.keyHash)",
        ]
        lines += part.metadata.sorted { $0.key < $1.key }.map { key, value in
            "  metadata    \(ShownText.line(key)): \(ShownText.line(value.prefix(120)))"
        }
        return lines.joined(separator: "\n")
    }
}
