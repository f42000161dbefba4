internal import FileSupport
internal import FluxModels
internal import Foundation
internal import ModelHub
internal import Checkpoints

/// Fills a folder with the files of a model.
final class AssemblyWriter {
    private struct Item {
        /// The file that is read.
        var source: String
        /// Its path in the folder that is written.
        var name: String
        /// The component that it belongs to.
        var part: AssembledComponent?
        var size: Int

        /// The name without folders.
        var file: String { URL(fileURLWithPath: name).lastPathComponent }
    }

    private let items: [Item]
    private let base: String
    private let components: [AssembledComponent]
    private let settings: AssemblySettings
    private let folder: String
    private let onProgress: (ModelAssembly.Progress) throws -> Void
    private let total: Int
    private var done = 0

    /// - Parameters:
    ///   - folder: the folder to fill.
    ///   - path: what errors call it.
    /// - Throws: `FileError` where the disk has no room.
    init(
        base: String, tokenizer: String, _ components: [AssembledComponent],
        _ settings: AssemblySettings, to folder: String, named path: String,
        _ onProgress: @escaping (ModelAssembly.Progress) throws -> Void
    ) throws {
        self.base = base
        self.components = components
        self.settings = settings
        self.folder = folder
        self.onProgress = onProgress
        items = Self.items(base: base, tokenizer, components)
        total = items.reduce(0) { $0 + $1.size }
        let needed = items.reduce(0) { $0 + ($1.part?.byteCount(of: $1.file) ?? $1.size) }
        guard try DiskSpace.free(at: folder) > needed else {
            throw FileError(path: path, reason: .failed(action: "write", code: ENOSPC))
        }
    }

    /// The files of all parts, each under its part's name, and what else is in the model's folder.
    private static func items(
        base: String, _ tokenizer: String, _ components: [AssembledComponent]
    ) -> [Item] {
        let parts = components.flatMap { part in
            files(of: part.folder, below: part.component.rawValue + "/", part)
        }
        let names = ModelRepository.Part.allCases.map { $0.rawValue + "/" }
        let others = files(of: base, below: "").filter { item in
            !names.contains(where: item.name.hasPrefix) && item.name != "model_index.json"
                && ![".safetensors", ".gguf"].contains(where: item.name.hasSuffix)
        }
        return parts + files(of: tokenizer, below: "tokenizer/") + others
    }

    private static func files(
        of folder: String, below place: String, _ part: AssembledComponent? = nil
    ) -> [Item] {
        LocalFiles.matching("", in: folder).map { path in
            Item(
                source: path, name: place + path.dropFirst(folder.count + 1), part: part,
                size: size(path))
        }
    }

    private static func size(_ path: String) -> Int {
        let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        let attributes = try? FileManager.default.attributesOfItem(atPath: url.path)
        return attributes?[.size] as? Int ?? 0
    }

    /// Writes all files.
    ///
    /// - Throws: `FileError`, `SafetensorsError`, `ModelError`, `WeightError`, and what the progress
    ///   throws.
    func write() throws -> AssemblyReport {
        for item in items { try write(item) }
        for part in components where part.isChanged { try writeIndices(part) }
        try edit("model_index.json", of: base, settings.index)
        var report = AssemblyReport()
        report.parts = components.map { part in
            part.report(
                bytes: Self.bytes(of: "\(folder)/\(part.component.rawValue)"),
                checkpoints: settings.checkpoints)
        }
        report.bytes = Self.bytes(of: folder)
        return report
    }

    private static func bytes(of folder: String) -> Int {
        LocalFiles.matching("", in: folder).reduce(0) { $0 + size($1) }
    }

    private func write(_ item: Item) throws {
        let path = folder + "/" + item.name
        try Folder.make(for: path)
        let changed = item.part?.tensors(of: item.file) { try self.advance($0) }
        guard let changed else {
            try item.part?.requireFinite(item.file)
            let file = try MappedFile(path: item.source)
            try AtomicFile.write(path, bytes: file.bytes, overwrite: false)
            return try advance(item.size)
        }
        try SafetensorsWriter.write(
            to: path, tensors: changed.tensors, metadata: changed.metadata, order: .given,
            overwrite: false)
    }

    private func advance(_ bytes: Int) throws {
        done += bytes
        try onProgress(.init(done: min(done, total), total: total))
    }

    /// Brings what else tells sizes and types of weights in line with those that were written.
    private func writeIndices(_ part: AssembledComponent) throws {
        let own = part.component.rawValue
        if let index = ShardIndex.path(in: "\(folder)/\(own)") {
            let size = try Self.tensorBytes(ShardIndex(path: index), in: "\(folder)/\(own)")
            let name = URL(fileURLWithPath: index).lastPathComponent
            try edit("\(own)/\(name)", of: folder, [.init("metadata.total_size", .integer(size))])
        }
        guard let dtype = settings.dtype else { return }
        let known = try JSONObjectFile.names(in: "\(folder)/\(own)/config.json")
        try edit(
            "\(own)/config.json", of: folder,
            ["dtype", "torch_dtype"].filter(known.contains).map { .init($0, .text(dtype.name)) })
    }

    private static func tensorBytes(_ index: ShardIndex, in folder: String) throws -> Int {
        try index.fileNames.filter(index.has).reduce(0) { sum, name in
            try SafetensorsFile(path: "\(folder)/\(name)").tensors
                .reduce(sum) { $0 + $1.byteCount }
        }
    }

    /// Writes a JSON file of a folder with some fields set; without any, as it is.
    private func edit(_ name: String, of source: String, _ fields: [IndexField]) throws {
        let (path, original) = ("\(folder)/\(name)", "\(source)/\(name)")
        guard !fields.isEmpty else {
            guard source != folder, FileManager.default.fileExists(atPath: original) else { return }
            return try AtomicFile.write(path, bytes: WholeFile.bytes(original))
        }
        try AtomicFile.write(path, bytes: JSONObjectFile.edited(original, fields))
    }
}
