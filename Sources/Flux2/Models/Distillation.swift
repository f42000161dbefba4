internal import Foundation
internal import ModelHub

/// Whether a model was distilled to few steps.
public enum Distillation: Hashable, Sendable {
    /// Its name, or its `model_index.json`, says so.
    case known
    /// It is called klein without "base", as the distilled models are, and nothing else says so.
    case likely
    /// Nothing says so.
    case none

    /// What is known of a model from the published one that it is, from its folder's
    /// `model_index.json`, or else from its name.
    init(variant: Variant?, saysSo: Bool?, name: String) {
        let name = name.lowercased()
        if variant?.isDistilled ?? saysSo ?? false {
            self = .known
        } else {
            self =
                variant == nil && name.contains("klein") && !name.contains("base") ? .likely : .none
        }
    }

    /// What is known of a transformer that was found by itself.
    ///
    /// - Parameters:
    ///   - path: a file or a folder.
    ///   - repository: `owner/name`, where it comes from one.
    package init(transformer path: String, repository: String?) {
        if let repository {
            self.init(variant: Variant(named: repository), saysSo: nil, name: repository)
            return
        }
        let place = URL(fileURLWithPath: path)
        let own = LocalFiles.isFolder(path) ? place : place.deletingLastPathComponent()
        let folders = [own, own.deletingLastPathComponent()]
        self.init(
            variant: folders.lazy.compactMap { Variant(named: $0.path) }.first,
            saysSo: folders.lazy.compactMap { try? ModelFolder(path: $0.path).index()?.isDistilled }
                .first,
            name: folders.map(\.lastPathComponent).joined(separator: "/"))
    }
}
