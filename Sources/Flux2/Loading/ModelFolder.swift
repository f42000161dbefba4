internal import Domains
internal import FluxModels
internal import Foundation
internal import ModelHub
internal import Offloading
internal import Checkpoints

/// A folder in the hub's layout: `transformer/`, `text_encoder/`, `vae/`, `tokenizer/`, or single
/// files at its top.
struct ModelFolder {
    let path: String

    /// The folders of a name: a path, or those of the places where models are kept.
    ///
    /// - Throws: `ModelError` where there is none.
    static func named(_ name: String, _ settings: HubSettings) throws -> [ModelFolder] {
        let candidates = ModelPlaces.candidates(name, settings)
        let found = candidates.filter(LocalFiles.isFolder)
        guard !found.isEmpty else {
            throw ModelError(path: name, reason: .notFound(searched: candidates))
        }
        return found.map(ModelFolder.init)
    }

    /// The path of a component: its folder, or a single file at the top that holds it.
    func path(of component: Component) throws -> String {
        let folder = path + "/" + component.rawValue
        if LocalFiles.isFolder(folder) { return folder }
        for file in singleFiles() {
            if try Checkpoint(weights: [file]).detection?.component == component { return file }
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
        let endings = [".safetensors", ".gguf"]
        return names.filter { name in endings.contains(where: name.hasSuffix) }
            .filter { !$0.hasPrefix(".") }.sorted().map { path + "/" + $0 }
    }

    /// Whether all files of a part are there that are needed, and no download of it stopped half-way.
    func has(_ part: ModelRepository.Part) -> Bool {
        guard !IncompleteMarker.isOpen(in: path, for: part.rawValue + "/") else { return false }
        guard let component = part.component else {
            func exists(_ name: String) -> Bool {
                FileManager.default.fileExists(atPath: "\(path)/\(part.rawValue)/\(name)")
            }
            return exists("tokenizer.json") || (exists("vocab.json") && exists("merges.txt"))
        }
        return (try? self.path(of: component)).map(Self.isComplete) ?? false
    }

    /// Whether the shards of a checkpoint are all there.
    private static func isComplete(_ checkpoint: String) -> Bool {
        guard LocalFiles.isFolder(checkpoint) else { return true }
        if let path = ShardIndex.path(in: checkpoint) {
            guard let index = try? ShardIndex(path: path) else { return false }
            return Set(index.fileNames.filter { !index.has($0) }).isSubset(of: index.ignorableFiles)
        }
        let names = ["*.safetensors", "*.gguf"].map { LocalFiles.matching($0, in: checkpoint) }
        let files = names.first { !$0.isEmpty } ?? []
        return !files.isEmpty && LocalFiles.missingShards(of: files).isEmpty
    }

    /// What is read of `model_index.json`.
    struct Index: Decodable {
        var className: String?
        var isDistilled: Bool?
        var flux2: Extension?

        enum CodingKeys: String, CodingKey {
            case className = "_class_name"
            case isDistilled = "is_distilled"
            case flux2
        }

        /// Fields of this package's own.
        struct Extension: Decodable {
            var notice: String?
            var textLength: Int?
            var height: Int?
            var width: Int?
            var steps: Int?
            var cfgScale: Double?

            enum CodingKeys: String, CodingKey {
                case notice, height, width, steps
                case textLength = "text_length"
                case cfgScale = "cfg_scale"
            }

            init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: CodingKeys.self)
                notice = try fields.decodeIfPresent(String.self, forKey: .notice)
                textLength = try fields.integer(.textLength, .textLength)
                height = try fields.integer(.height, .height)
                width = try fields.integer(.width, .width)
                steps = try fields.integer(.steps, .steps)
                cfgScale = try fields.decodeIfPresent(Double.self, forKey: .cfgScale)
                if let cfgScale {
                    try NumericSetting.cfgScale.domain.check(cfgScale, "'flux2.cfg_scale'")
                }
            }
        }
    }

    /// What the folder's model is called.
    var name: String {
        if BundledModel.places().contains(path) { return BundledModel.name }
        return URL(fileURLWithPath: path).lastPathComponent
    }

    /// The folder's `model_index.json`, if it has one.
    func index() throws -> Index? {
        let file = path + "/model_index.json"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try Configuration.read(Index.self, from: file)
    }
}

extension ModelFolder.Index.Extension {
    /// The settings that a model itself says suit it, on top of others; nil where it says none and
    /// there are no others.
    ///
    /// - Parameter name: the model's.
    func preset(_ name: String, over other: Preset?) -> Preset? {
        guard height != nil || width != nil || steps != nil || cfgScale != nil else { return other }
        let usual = GenerationRequest(prompt: "", seed: 0)
        return Preset(
            name: name, steps: steps ?? other?.steps ?? usual.steps,
            cfgScale: cfgScale ?? other?.cfgScale ?? usual.cfgScale,
            embeddedGuidance: other?.embeddedGuidance, height: height, width: width)
    }
}

extension KeyedDecodingContainer where Key == ModelFolder.Index.Extension.CodingKeys {
    /// A number that is one of a setting's, if there is one.
    func integer(_ key: Key, _ setting: NumericSetting) throws -> Int? {
        let value = try decodeIfPresent(Int.self, forKey: key)
        if let value { try setting.domain.check(value, "'flux2.\(key.stringValue)'") }
        return value
    }
}
