import FileSupport
import Foundation
import Imaging

/// Where an image goes.
enum ImageDestination: Hashable, Sendable {
    case path(String)
    /// `image.png`, `image-2.png`, … in a folder: the first name that is free when it is written.
    case next(folder: String, stem: String)

    /// The place of a path that may be a folder, or absent.
    init(_ output: String?, stem: String = "image") {
        guard let output else {
            self = .next(folder: ".", stem: stem)
            return
        }
        let isFolder = output.hasSuffix("/") || Self.isFolder(output)
        self = isFolder ? .next(folder: output, stem: stem) : .path(output)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// The format that is written.
    ///
    /// - Throws: `ImagingError` for an extension that stands for none.
    func format() throws -> ImageFormat {
        switch self {
        case .path(let path): try ImageFormat.forWriting(path)
        case .next: .png
        }
    }

    /// Whether a file of the name is there.
    var exists: Bool {
        guard case .path(let path) = self else { return false }
        return FileManager.default.fileExists(atPath: path)
    }

    /// Refuses what could not be written at the end; folders are made then.
    ///
    /// - Throws: `ImagingError`, `FileError`.
    func check(overwrite: Bool) throws {
        _ = try format()
        switch self {
        case .path(let path): try Self.check(path, overwrite: overwrite)
        case .next(let folder, _): try Self.check(Self.path(folder, "-", 1), overwrite: true)
        }
    }

    /// Refuses a file that could not be written, also where its folder is still to be made.
    static func check(_ path: String, overwrite: Bool) throws {
        var folder = AtomicFile.folder(of: path)
        guard !isFolder(folder) else {
            return try AtomicFile.checkWritable(path, overwrite: overwrite)
        }
        while folder != ".", folder != "/", !FileManager.default.fileExists(atPath: folder) {
            folder = AtomicFile.folder(of: folder)
        }
        guard isFolder(folder) else {
            throw FileError(
                path: folder, reason: .failed(action: "make a folder in", code: ENOTDIR))
        }
        try AtomicFile.checkWritable(folder + "/-", overwrite: true)
    }

    /// Writes the image.
    ///
    /// - Returns: its path.
    /// - Throws: `ImagingError`, `FileError`.
    func write(
        _ image: Image, metadata: [String: String] = [:], quality: Int?, overwrite: Bool
    ) throws -> String {
        switch self {
        case .path(let path):
            try Folder.make(for: path)
            try image.write(
                to: path, metadata: metadata, quality: quality, overwrite: overwrite)
            return path
        case .next(let folder, let stem):
            try Folder.make(folder)
            return try Self.writeNext(
                image.encoded(as: .png, metadata: metadata), folder: folder, stem: stem)
        }
    }

    /// Takes the first name that nobody has, also if somebody takes one meanwhile.
    private static func writeNext(
        _ bytes: [UInt8], folder: String, stem: String
    ) throws -> String {
        var number = 1
        while true {
            let path = path(folder, stem, number)
            do {
                try AtomicFile.write(path, bytes: bytes, overwrite: false)
                return path
            } catch let error as FileError where error.reason == .exists {
                number += 1
            }
        }
    }

    private static func path(_ folder: String, _ stem: String, _ number: Int) -> String {
        let name = number == 1 ? "\(stem).png" : "\(stem)-\(number).png"
        if folder == "." { return name }
        return folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }
}
