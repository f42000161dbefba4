internal import FluxModels
internal import FileSupport
public import Foundation
internal import ModelHub
internal import Checkpoints
internal import Torch

/// A folder with weights in 8 bits, so that they are converted once for a machine and mapped from
/// then on.
///
/// A checkpoint has one place for each way to keep it; one that has changed since is converted anew.
public struct WeightCache: Hashable, Sendable {
    /// Where the files are; made when the first is written.
    public var folder: String

    /// Keeps weights in a folder, which need not be there yet.
    public init(folder: String) { self.folder = folder }

    /// The folder that `FLUX2_WEIGHT_CACHE` names, else one in the user's caches; nil for `off`.
    public static func standard(
        _ environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> WeightCache? {
        CacheFolder.named("weights", by: "FLUX2_WEIGHT_CACHE", environment)
            .map(WeightCache.init(folder:))
    }

    /// The weights of a component in 8 bits, converted if they are not there or are of another
    /// checkpoint.
    ///
    /// - Parameter paths: what the component's weights are in.
    /// - Returns: nil for weights that have 8 bits already.
    /// - Throws: `FileError` when they cannot be written, `WeightError`, what `onEvent` throws.
    func weights(
        of component: Component, _ paths: [String], as storage: WeightStorage,
        onEvent: @escaping (GenerationEvent) throws -> Void
    ) throws -> String? {
        guard let settings = storage.quantization,
            let source = try? QuantizationSource(paths: paths, part: component)
        else { return nil }
        let path = path(of: source, settings)
        if try isUsable(path, of: source, settings, onEvent) { return path }
        try Folder.make(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        _ = try QuantizedCheckpoint.write(source, settings, to: path, overwrite: true) {
            try onEvent(
                .converting(
                    component: component.rawValue, format: settings.format.name, done: $0.done,
                    total: $0.total))
        }
        try SealedFile.seal(path)
        try onEvent(.converted(path: path, bytes: try SafetensorsFile(path: path).size))
        return path
    }

    /// Whether weights are there, of this checkpoint and as they were written.
    private func isUsable(
        _ path: String, of source: QuantizationSource, _ settings: QuantizationSettings,
        _ onEvent: (GenerationEvent) throws -> Void
    ) throws -> Bool {
        let configuration = ComponentFile.configurationPath(beside: path)
        guard [path, configuration].allSatisfy(FileManager.default.fileExists(atPath:)) else {
            return false
        }
        // Damage of the header must not pass for weights of another checkpoint.
        let state = SealedFile.state(of: path)
        let fits = (try? source.configuration.check(beside: path)) != nil
        guard state != .damaged, fits else {
            try onEvent(.warned("\(path): is damaged; the weights are converted anew"))
            if !fits { try? FileManager.default.removeItem(atPath: configuration) }
            return false
        }
        return state == .intact && QuantizedCheckpoint.isCurrent(path, of: source, settings)
    }

    /// A place for a checkpoint by where it lies, so that a changed one takes that of the old.
    private func path(of source: QuantizationSource, _ settings: QuantizationSettings) -> String {
        let place = URL(fileURLWithPath: source.location).standardizedFileURL
            .resolvingSymlinksInPath().path
        let key = Checksum.of(
            Array(
                "\(place)\n\(settings.format.name)\n\(settings.packsAll)\n\(source.configuration)"
                    .utf8), .sha256)
        return "\(folder)/\(key.value.prefix(24))/weights.safetensors"
    }
}

extension WeightStorage {
    /// What a checkpoint of weights that are kept so is made with; nil for those of the file itself.
    var quantization: QuantizationSettings? {
        switch self {
        case .asStored: nil
        case .matrices(let format): QuantizationSettings(format)
        case .float8: QuantizationSettings(.float8, packsAll: true)
        }
    }
}
