import ArgumentParser
import Flux2
import Foundation
import ModelHub

/// Which model.
struct ModelName: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: """
            Model: a folder in the hub's layout, or a name such as klein-4b or owner/name. What is \
            missing is downloaded; see flux2 models. Default: emoji, a small model that comes with \
            flux2.
            """, completion: .directory)
    var model: String?
}

/// Where parts come from that are not the model's own.
struct ModelParts: ParsableArguments {
    @Option(
        name: [.long, .customLong("dit")],
        help: """
            Transformer weights from elsewhere: a file, an index, a folder, or owner/name:pattern.
            """,
        completion: .file())
    var transformer: String?

    @Option(
        name: [.long, .customLong("text-encoder-qwen3")],
        help: "Text encoder weights from elsewhere.", completion: .file())
    var textEncoder: String?

    @Option(help: "VAE weights from elsewhere.", completion: .file())
    var vae: String?

    @Option(
        name: [.long, .customLong("tokenizer-path")],
        help: "Folder of the tokenizer, if not the model's own.", completion: .directory)
    var tokenizer: String?

    @OptionGroup var hub: HubOptions
}

/// Which model, and where its parts come from.
struct ModelOptions {
    var model: String?
    var parts: ModelParts

    /// The files of the model; what is not on this machine is fetched, and said to be.
    ///
    /// - Parameters:
    ///   - fetches: false takes what is here, and of published models the shapes of the rest.
    ///   - beforeFetching: refuses what shall not be found out after a long download.
    func files(
        _ report: Reporter, fetches: Bool = true,
        beforeFetching: @escaping @Sendable () throws -> Void = {}
    ) async throws -> ModelFiles {
        var settings = try parts.hub.settings()
        if !fetches { settings.offlineBecause = settings.offlineBecause ?? "a plan" }
        return try await files(settings, report, fetches: fetches, beforeFetching)
    }

    private func files(
        _ settings: HubSettings, _ report: Reporter, fetches: Bool,
        _ beforeFetching: @escaping @Sendable () throws -> Void
    ) async throws -> ModelFiles {
        let (transformer, textEncoder) = (parts.transformer, parts.textEncoder)
        let (vae, tokenizer, model) = (parts.vae, parts.tokenizer, try chosen(report))
        let progress = DownloadProgress(report)
        return try await cancellingOnInterrupt {
            defer { progress.finish() }
            func found(_ text: String?) async throws -> [String]? {
                guard let text else { return nil }
                return try await Self.config(text).resolved(settings) { progress.show($0) }
            }
            var overrides = ModelFiles.Overrides(
                transformer: try await found(transformer),
                textEncoder: try await found(textEncoder), autoencoder: try await found(vae))
            overrides.tokenizer = try await found(tokenizer)?.first
            guard fetches else {
                return try model.map {
                    try ModelFiles(planning: $0, overrides: overrides, settings: settings)
                } ?? ModelFiles(model: nil, overrides: overrides, settings: settings)
            }
            if let model {
                let parts = Self.ownParts(overrides)
                try await fetch(model, parts, settings, report, before: beforeFetching) {
                    progress.show($0)
                }
            }
            return try ModelFiles(model: model, overrides: overrides, settings: settings)
        }
    }

    /// How the model that these files are of is called.
    func name(of files: ModelFiles) -> String { model ?? files.name ?? files.transformer[0] }

    /// The model that is named; where neither it nor any part of one is, that of the program.
    private func chosen(_ report: Reporter) throws -> String? {
        let given = [model, parts.transformer, parts.textEncoder, parts.vae, parts.tokenizer]
        guard given.allSatisfy({ $0 == nil }) else { return model }
        guard let folder = BundledModel.folder() else {
            throw RequestError(
                setting: "model",
                expected: "given (\(BundledModel.name), which comes with flux2, was looked for in "
                    + BundledModel.places().joined(separator: " and ") + ")",
                found: "absent")
        }
        report.notice(
            "model \(BundledModel.name), which comes with flux2; for klein-4B (16 GB): "
                + "flux2 generate \"…\" --model klein-4b")
        return folder
    }

    /// A path, or files of a repository if there is no such path.
    private static func config(_ text: String) -> ModelConfig {
        guard !FileManager.default.fileExists(atPath: text), text.contains(":"),
            let files = RepositoryFiles(text)
        else { return ModelConfig(path: text) }
        return ModelConfig(modelID: files.id, originFilePattern: files.pattern)
    }

    /// The parts that do not come from elsewhere.
    private static func ownParts(_ overrides: ModelFiles.Overrides) -> [ModelRepository.Part] {
        ModelRepository.Part.allCases.filter { part in
            switch part {
            case .transformer: overrides.transformer == nil
            case .textEncoder: overrides.textEncoder == nil
            case .autoencoder: overrides.autoencoder == nil
            case .tokenizer: overrides.tokenizer == nil
            }
        }
    }
}

/// Fetches those parts of a named model that are not on this machine.
private func fetch(
    _ name: String, _ parts: [ModelRepository.Part], _ settings: HubSettings,
    _ report: Reporter, before: () throws -> Void,
    onEvent: @escaping @Sendable (DownloadEvent) -> Void
) async throws {
    // A path is what it is.
    guard !FileManager.default.fileExists(atPath: name),
        let model = ModelRepository(named: name)
    else { return }
    let present = model.present(settings)
    if parts.contains(where: { present[$0] == nil }) { try before() }
    try await RepositoryFetch(settings, onEvent: onEvent).missing(of: model, among: parts) {
        report.notice(
            "\(name): \($0.map(\.rawValue).joined(separator: ", ")) not on this machine; "
                + "fetching from \(settings.hub.title)")
    }
}
