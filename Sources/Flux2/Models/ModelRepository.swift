internal import FluxModels
public import ModelHub

/// A model in the hub's layout by its repository, and the one that it borrows parts from.
public struct ModelRepository: Hashable, Sendable {
    /// The folders that an image is made with.
    public enum Part: String, Hashable, Sendable, CaseIterable {
        /// The flow transformer, which is what tells the models apart.
        case transformer
        /// The language model that reads prompts.
        case textEncoder = "text_encoder"
        /// The model between images and latents.
        case autoencoder = "vae"
        /// The vocabulary of the text encoder, without weights.
        case tokenizer

        var component: Component? { Component(rawValue: rawValue) }
    }

    /// What the user called it.
    public let name: String
    /// Where the transformer comes from, and all other parts unless there is a companion.
    public let repository: Repository
    /// Where DiffSynth-Studio takes all parts but the transformer from.
    public let companion: Repository?

    /// The published model or the repository of a name; nil when it is neither.
    public init?(named name: String) {
        guard let repository = ModelPlaces.repository(named: name) else { return nil }
        self.name = name
        self.repository = repository
        companion = Variant(named: name)?.companion.flatMap { try? Repository($0.hubID) }
    }

    /// The repository that a part is fetched from.
    public func source(of part: Part) -> Repository {
        part == .transformer ? repository : companion ?? repository
    }

    /// The parts that are on this machine, with the folder that has all of their files.
    public func present(_ settings: HubSettings) -> [Part: String] {
        var folders = ModelPlaces.candidates(name, settings)
        if let companion { folders += settings.folders(of: companion) }
        let existing = folders.filter(LocalFiles.isFolder).map(ModelFolder.init)
        let found = Part.allCases.compactMap { part in
            existing.first { $0.has(part) }.map { (part, $0.path) }
        }
        return Dictionary(uniqueKeysWithValues: found)
    }
}
