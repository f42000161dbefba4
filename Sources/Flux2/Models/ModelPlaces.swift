internal import Foundation
public import ModelHub

/// Where models are kept on this machine.
public enum ModelPlaces {
    /// The folders in which a model of this name may be, in the order in which they are looked at.
    ///
    /// A path comes first; then the folders of `FLUX2_MODELS`, or DiffSynth-Studio's
    /// `models/owner/name`; then the caches of huggingface_hub and modelscope, or the places of the
    /// ``BundledModel``.
    ///
    /// - Parameter name: a path, a variant's name, a repository's, or that of the bundled model.
    public static func candidates(_ name: String, _ settings: HubSettings) -> [String] {
        // A path is no name to look up anywhere.
        guard name.split(separator: "/").count <= 2, !name.hasPrefix("/"), !name.hasPrefix(".")
        else {
            return [name]
        }
        let own = [name] + settings.modelFolders.map { $0 + "/" + name }
        let isBundled = name.lowercased() == BundledModel.name
        let published =
            isBundled
            ? BundledModel.places() : repository(named: name).map(settings.folders(of:)) ?? []
        return own + published.filter { !own.contains($0) }
    }

    /// The repository that a name stands for: a variant's, or the one of that name.
    public static func repository(named name: String) -> Repository? {
        try? Repository(Variant(rawValue: name.lowercased())?.hubID ?? name)
    }
}
