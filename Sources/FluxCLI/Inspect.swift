import ArgumentParser
import Flux2
import Foundation

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what a file or a model's folder holds, or how a picture was made.")

    @Argument(
        help: "A .safetensors or .gguf file, an index, a folder, emoji, or a picture.",
        completion: .file())
    var path: String

    @Flag(help: "Print one JSON array.")
    var json = false

    func run() throws {
        if PictureFormat.of(path) != nil {
            let picture = try PictureInspection(path)
            print(json ? try JSON.lines([picture]) : picture.text)
            return
        }
        let parts = try Inspection.of(path)
        if json {
            print(try JSON.lines(parts))
        } else {
            print(parts.map(Self.text).joined(separator: "\n\n"))
        }
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
