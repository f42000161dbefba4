internal import Foundation
public import Checkpoints

/// The tensors of one file or of many, by name.
public struct Checkpoint: Sendable {
    /// The file, index or folder that it was opened by.
    public let location: String
    /// Its files in the order of their names.
    public let files: [any WeightFile]
    private let places: [String: Place]

    private struct Place {
        var file: Int
        var info: WeightInfo
    }

    /// Opens a `.safetensors` or `.gguf` file, a `.safetensors.index.json`, or a folder that holds
    /// shards.
    ///
    /// A folder is read by its index where it has one; else all its `.safetensors` files are, and
    /// where there are none, its `.gguf` file.
    ///
    /// - Parameter spare: tells which files of an index need not be there; all have to without it.
    /// - Throws: `FileError`; `SafetensorsError` and `GGUFError` for damaged files, a name that two
    ///   files have, and an index that names what is not there; `GGUFError` for a part of a file
    ///   whose other parts are not given.
    public init(path: String, spare: (ShardIndex) -> Set<String> = { _ in [] }) throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if exists, isFolder.boolValue {
            try self.init(folder: path, spare)
        } else if path.hasSuffix(".json") {
            try self.init(index: ShardIndex(path: path), location: path, spare)
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
        files = try paths.map(Self.open)
        try Self.requireAllParts(files)
        var places: [String: Place] = [:]
        for (number, file) in files.enumerated() {
            for info in file.weights {
                let place = Place(file: number, info: info)
                guard let other = places.updateValue(place, forKey: info.name) else { continue }
                throw SafetensorsError(
                    file: file.path, key: info.name,
                    reason: .duplicate(other: files[other.file].path))
            }
        }
        self.places = places
    }

    /// Takes one file that is open.
    init(_ file: any WeightFile) {
        location = file.path
        files = [file]
        places = Dictionary(
            file.weights.map { ($0.name, Place(file: 0, info: $0)) },
            uniquingKeysWith: { a, _ in a })
    }

    private static func open(_ path: String) throws -> any WeightFile {
        // The content counts, as caches of hubs call their files by sums.
        let isGGUF = path.hasSuffix(".gguf") || GGUFFile.isMarked(path)
        return isGGUF ? try GGUFFile(path: path) : try SafetensorsFile(path: path)
    }

    /// Refuses a part of a GGUF file that was split, unless all others are there.
    private static func requireAllParts(_ files: [any WeightFile]) throws {
        for case let file as GGUFFile in files {
            guard let count = file.integer("split.count"), count > 1, count != files.count else {
                continue
            }
            throw GGUFError(
                file: file.path, reason: .incomplete(parts: count, found: files.count))
        }
    }

    private init(folder: String, _ spare: (ShardIndex) -> Set<String>) throws {
        if let index = ShardIndex.path(in: folder) {
            try self.init(index: ShardIndex(path: index), location: folder, spare)
            return
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        else { throw SafetensorsError(file: folder, reason: .noFiles) }
        var files = names.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        if files.isEmpty { files = names.filter { $0.hasSuffix(".gguf") && !$0.hasPrefix(".") } }
        try self.init(files: files.map { folder + "/" + $0 }, location: folder)
    }

    private init(
        index: ShardIndex, location: String, _ spare: (ShardIndex) -> Set<String>
    ) throws {
        let folder = URL(fileURLWithPath: index.path).deletingLastPathComponent().relativePath
        let missing = index.fileNames.filter { !index.has($0) }
        let needed = missing.isEmpty ? [] : Set(missing).subtracting(spare(index))
        if let shard = needed.min() {
            throw SafetensorsError(
                file: index.path, reason: .badIndex("names '\(shard)', which is not there"))
        }
        let shards = index.fileNames.filter { !missing.contains($0) }
        try self.init(files: shards.map { folder + "/" + $0 }, location: location)
        for (name, shard) in index.files.sorted(by: { $0.key < $1.key })
        where !missing.contains(shard) {
            guard let place = places[name], shards[place.file] == shard else {
                throw SafetensorsError(
                    file: index.path, key: name,
                    reason: .badIndex("is not in '\(shard)', where the index has it"))
            }
        }
    }

    /// All tensor names.
    public var names: some Collection<String> { places.keys }

    /// A tensor and the file that holds it.
    public subscript(_ name: String) -> (file: any WeightFile, info: WeightInfo)? {
        places[name].map { (files[$0.file], $0.info) }
    }

    /// What the files say about themselves; of two that disagree, the first counts.
    public var metadata: [String: String] {
        files.reduce(into: [:]) { all, file in
            all.merge(file.notes) { first, _ in first }
        }
    }

    /// Bytes of all tensors.
    public var totalBytes: Int {
        places.values.reduce(0) { $0 + $1.info.byteCount }
    }
}
