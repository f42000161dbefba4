internal import FileSupport
internal import Foundation

/// Which file of a sharded checkpoint holds which tensor, as `….safetensors.index.json` tells.
public struct ShardIndex: Sendable {
    /// The path of the index itself.
    public let path: String
    /// The names of files beside the index, by the names of tensors.
    public private(set) var files: [String: String] = [:]

    /// - Throws: `SafetensorsError` when it is no index, or names files that are not beside it.
    public init(path: String) throws {
        self.path = path
        guard let data = WholeFile.contents(path) else {
            throw SafetensorsError(file: path, reason: .badIndex("cannot be read"))
        }
        do {
            var reader = JSONReader(Array(data))
            guard let map = try reader.document()["weight_map"].object else {
                throw SafetensorsError(file: path, reason: .badIndex("has no 'weight_map'"))
            }
            for (name, value) in map { files[name] = try Self.shard(value, of: name, path) }
        } catch let error as JSONError {
            throw SafetensorsError(file: path, reason: .badIndex(error.description))
        }
    }

    /// The name of a shard, which must lie beside the index.
    private static func shard(
        _ value: JSONValue, of name: String, _ path: String
    ) throws -> String {
        guard let shard = value.string, !shard.isEmpty, !shard.contains("/") else {
            throw SafetensorsError(
                file: path, key: name,
                reason: .badIndex("expected a file beside the index, found \(value.summary)"))
        }
        return shard
    }

    /// The names of all files, sorted.
    public var fileNames: [String] { Set(files.values).sorted() }

    /// Whether a file is there.
    public func has(_ name: String) -> Bool {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().relativePath
        return FileManager.default.fileExists(atPath: folder + "/" + name)
    }

    /// The index in a folder that has exactly one.
    public static func path(in folder: String) -> String? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let indices = names.filter {
            $0.hasSuffix(".safetensors.index.json") && !$0.hasPrefix(".")
        }
        return indices.count == 1 ? folder + "/" + indices[0] : nil
    }
}
