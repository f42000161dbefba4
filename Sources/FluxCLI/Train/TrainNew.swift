import ArgumentParser
import Flux2
import FluxTraining
import Foundation

struct TrainNew: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", _superCommandName: "flux2 train",
        abstract: "Give a model that is only configurations random weights to begin from.",
        discussion: """
            FOLDER has the hub's layout with a config.json for transformer, text_encoder and vae; \
            weights are written beside them.
            """,
        version: Version.current)

    @Argument(help: "The model's folder.", completion: .directory)
    var folder: String

    @Option(help: "What the weights follow from; -1 draws one, and tells it.")
    var seed = Seed.fixed(0)

    @Flag(help: "Replace weights that exist.")
    var force = false

    func run() throws {
        let drawn = seed.value ?? GenerationRequest.anySeed()
        let counts = try NewModel(folder: folder).write(seed: drawn, overwrite: force)
        if seed == .drawn { print("seed \(drawn)") }
        for (component, count) in counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            print(
                "\(folder)/\(component.rawValue): \(count) values, "
                    + Terminal.bytes(2 * count))
        }
    }
}
