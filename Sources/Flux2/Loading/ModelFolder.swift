internal import FluxModels
internal import Foundation
internal import Safetensors

/// A folder in the hub's layout: `transformer/`, `text_encoder/`, `vae/`, `tokenizer/`, or single
/// files at its top.
struct ModelFolder {
    let path: String

    /// Finds a folder by its path, or by a name in one of the places where models are kept.
    init(named name: String) throws {
        let candidates = ModelPlaces.candidates(name)
        guard let found = candidates.first(where: Self.isFolder) else {
            throw ModelError(path: name, reason: .notFound(searched: candidates))
        }
        path = found
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// The path of a component: its folder, or a single file at the top that holds it.
    func path(of component: Component) throws -> String {
        let folder = path + "/" + component.rawValue
        if Self.isFolder(folder) { return folder }
        for file in singleFiles() {
            let shapes = try SafetensorsFile(path: file).shapes
            if Detection(shapes)?.component == component { return file }
        }
        let option = component.rawValue.replacing("_", with: "-")
        throw ModelError(
            path: path,
            reason: .missingComponent(
                component.rawValue,
                expected: "\(folder), a single file in \(path), or --\(option) PATH"))
    }

    private func singleFiles() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(".safetensors") }.sorted().map { path + "/" + $0 }
    }

    /// What is read of `model_index.json`.
    struct Index: Decodable {
        var isDistilled: Bool?
        var flux2: Extension?

        enum CodingKeys: String, CodingKey {
            case isDistilled = "is_distilled"
            case flux2
        }

        /// Fields of this package's own.
        struct Extension: Decodable {
            var notice: String?
            var textLength: Int?

            enum CodingKeys: String, CodingKey {
                case notice
                case textLength = "text_length"
            }
        }
    }

    /// The folder's `model_index.json`, if it has one.
    func index() throws -> Index? {
        let file = path + "/model_index.json"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try Configuration.read(Index.self, from: file)
    }
}

extension SafetensorsFile {
    /// The shapes of all tensors by name.
    var shapes: TensorShapes {
        Dictionary(tensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
    }
}
