internal import FluxModels
internal import Foundation
package import ModelHub
internal import Offloading

extension ModelFiles {
    /// Finds or fetches the components of a model, and tells from their files which is which.
    ///
    /// - Parameters:
    ///   - configs: one for each component in any order, or one folder in the hub's layout.
    ///   - tokenizer: nil takes the one beside the text encoder, or in its repository.
    /// - Throws: `ModelError` for a component that is missing, given twice or none of FLUX.2's;
    ///   `SafetensorsError`; those of `ModelConfig.resolved(_:onEvent:)`.
    init(
        _ configs: [ModelConfig], tokenizer: ModelConfig?, _ settings: HubSettings,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws {
        var found = FoundParts()
        for config in configs {
            try found.add(try await config.resolved(settings, onEvent: onEvent), from: config)
        }
        let transformer = try found.files(.transformer)
        let encoder = try found.files(.textEncoder)
        let autoencoder = try found.files(.autoencoder)
        let folder: String
        if let tokenizer {
            folder = try await tokenizer.resolved(settings, onEvent: onEvent)[0]
        } else {
            folder = try await found.tokenizer(settings, onEvent)
        }
        self.init(
            transformer: transformer, textEncoder: encoder, autoencoder: autoencoder,
            tokenizer: folder)
        storage = found.storage
        guard let folder = found.folder else { return }
        name = folder.name
        try take(folder.index())
    }
}

/// Components and where they came from.
private struct FoundParts {
    private var parts: [Component: (files: [String], config: ModelConfig)] = [:]
    /// The folder in the hub's layout that they are from, if there is one.
    private(set) var folder: ModelFolder?

    mutating func add(_ files: [String], from config: ModelConfig) throws {
        if files.count == 1, LocalFiles.isFolder(files[0]) {
            let components = Component.allCases.filter {
                LocalFiles.isFolder(files[0] + "/" + $0.rawValue)
            }
            for component in components {
                try add([files[0] + "/" + component.rawValue], as: component, config)
            }
            if !components.isEmpty {
                folder = ModelFolder(path: files[0])
                return
            }
        }
        guard let component = try Checkpoint(weights: files).detection?.component else {
            throw ModelError(
                path: files[0],
                reason: .wrongContent(
                    expected: "a transformer, text encoder or autoencoder of FLUX.2",
                    found: "something else"))
        }
        try add(files, as: component, config)
    }

    private mutating func add(
        _ files: [String], as component: Component, _ config: ModelConfig
    ) throws {
        if let other = parts.updateValue((files, config), forKey: component) {
            throw ModelError(
                path: files[0],
                reason: .mismatch("is a second \(component.rawValue), beside \(other.files[0])"))
        }
    }

    var storage: [Component: StageStorage] { parts.compactMapValues(\.config.storage) }

    func files(_ component: Component) throws -> [String] {
        guard let part = parts[component] else {
            throw ModelError(
                path: "modelConfigs",
                reason: .missingComponent(
                    component.rawValue, expected: "in one of the model configurations"))
        }
        return part.files
    }

    /// The tokenizer beside the text encoder, or in the repository that it came from.
    func tokenizer(
        _ settings: HubSettings, _ onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws -> String {
        try await (parts[.textEncoder]?.config ?? ModelConfig(path: [])).tokenizer(
            beside: files(.textEncoder)[0], settings, onEvent: onEvent)
    }
}

extension ModelConfig {
    /// The tokenizer that belongs to a text encoder of this configuration.
    ///
    /// - Parameter encoder: one of its files, or its folder.
    /// - Throws: `ModelError` naming where it was looked for, and those of `resolved(_:onEvent:)`.
    package func tokenizer(
        beside encoder: String, _ settings: HubSettings,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws -> String {
        let place = URL(fileURLWithPath: encoder)
        let folders = [place.deletingLastPathComponent(), place]
            .map { $0.deletingLastPathComponent().path + "/tokenizer" }
        if let found = folders.first(where: LocalFiles.isFolder) { return found }
        guard modelID != nil else {
            throw ModelError(
                path: folders[0],
                reason: .missingComponent(
                    "tokenizer", expected: "here, or as tokenizerConfig (--tokenizer_path)"))
        }
        var config = self
        config.originFilePattern = "tokenizer/"
        return try await config.resolved(settings, onEvent: onEvent)[0]
    }
}
