internal import Flux2
public import FluxModels

/// A component, or a part of one, under DiffSynth-Studio's names: `dit`, `dit.proj_out`, ….
public struct TrainableModule: Hashable, Sendable {
    /// Whose weights are meant.
    public var component: Component
    /// The beginning of canonical names; empty means all.
    public var module: String

    /// The names that a component goes by.
    public static let names: [(name: String, component: Component)] = [
        ("dit", .transformer), ("transformer", .transformer), ("vae", .autoencoder),
        ("text_encoder", .textEncoder), ("text_encoder_qwen3", .textEncoder),
    ]

    /// Reads a name.
    ///
    /// - Throws: `RequestError` naming the option for a name that is none.
    public init(_ text: String, option: String) throws {
        let words = text.split(separator: ".", maxSplits: 1).map(String.init)
        guard let first = words.first,
            let component = Self.names.first(where: { $0.name == first })?.component
        else {
            throw RequestError(
                setting: option,
                expected: "one of " + Self.names.map(\.name).joined(separator: ", ")
                    + ", or a part such as dit.proj_out",
                found: "'\(text)'")
        }
        self.component = component
        module = words.count > 1 ? words[1] : ""
    }

    /// All of a component.
    init(_ component: Component) {
        self.component = component
        module = ""
    }

    /// Whether a canonical name belongs to it.
    func holds(_ key: String) -> Bool {
        module.isEmpty || key == module || key.hasPrefix(module + ".")
    }
}
