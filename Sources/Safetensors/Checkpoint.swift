internal import Foundation
internal import JSONReading

/// The tensors of one file or of many, by name.
public struct Checkpoint: Sendable {
    /// The file, index or folder that it was opened by.
    public let location: String
    /// Its files in the order of their names.
    public let files: [SafetensorsFile]
    private let places: [String: Int]

    /// Opens a `.safetensors` file, a `.safetensors.index.json`, or a folder that holds shards.
    ///
    /// A folder is read by its index where it has one; else all its `.safetensors` files are.
    ///
    /// - Throws: `FileError`; `SafetensorsError` for damaged files, a name that two files have, and
    ///   an index that names what is not there.
    public init(path: String) throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if exists, isFolder.boolValue {
            try self.init(folder: path)
        } else if path.hasSuffix(".json") {
            try self.init(index: path, location: path)
        } else {
            try self.init(files: [path], location: path)
        }
    }

    /// Opens files that together make up one checkpoint.
    ///
    /// - Parameter location: what errors call the whole; the first file without it.
    public init(files paths: [String], location: String? = nil) throws {
        guard let first = paths.first else {
            throw SafetensorsError(file: location ?? "checkpoint", reason: .noFiles)
        }
        self.location = location ?? first
        files = try paths.map(SafetensorsFile.init(path:))
        var places: [String: Int] = [:]
        for (place, file) in files.enumerated() {
            for tensor in file.tensors {
                guard let other = places.updateValue(place, forKey: tensor.name) else { continue }
                throw SafetensorsError(
                    file: file.path, key: tensor.name,
                    reason: .duplicate(other: files[other].path))
            }
        }
        self.places = places
    }

    private init(folder: String) throws {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            throw SafetensorsError(file: folder, reason: .noFiles)
        }
        let indices = names.filter { $0.hasSuffix(".safetensors.index.json") }
        let files = names.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        if indices.count == 1 {
            try self.init(index: folder + "/" + indices[0], location: folder)
        } else {
            try self.init(files: files.map { folder + "/" + $0 }, location: folder)
        }
    }

    private init(index path: String, location: String) throws {
        let map = try Index(path: path)
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().relativePath
        let shards = Set(map.files.values).sorted()
        for shard in shards {
            guard FileManager.default.fileExists(atPath: folder + "/" + shard) else {
                throw SafetensorsError(
                    file: path, reason: .badIndex("names '\(shard)', which is not there"))
            }
        }
        try self.init(files: shards.map { folder + "/" + $0 }, location: location)
        for (name, shard) in map.files.sorted(by: { $0.key < $1.key }) {
            guard let place = places[name], shards[place] == shard else {
                throw SafetensorsError(
                    file: path, key: name,
                    reason: .badIndex("is not in '\(shard)', where the index has it"))
            }
        }
    }

    /// All tensor names.
    public var names: some Collection<String> { places.keys }

    /// A tensor and the file that holds it.
    public subscript(_ name: String) -> (file: SafetensorsFile, info: TensorInfo)? {
        guard let place = places[name], let info = files[place][name] else { return nil }
        return (files[place], info)
    }

    /// What the files say about themselves; of two that disagree, the first counts.
    public var metadata: [String: String] {
        files.reduce(into: [:]) { all, file in
            all.merge(file.metadata) { first, _ in first }
        }
    }

    /// Bytes of all tensors.
    public var totalBytes: Int {
        files.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.byteCount } }
    }
}

/// Which file of a sharded checkpoint holds which tensor.
private struct Index {
    var files: [String: String] = [:]

    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
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
}
