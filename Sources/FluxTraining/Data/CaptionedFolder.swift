internal import FileSupport
internal import Foundation
internal import ModelHub

/// A folder of images with captions in text files beside them.
struct CaptionedFolder {
    private let path: String
    /// What lies in it, without hidden files; `._a.png` is what macOS notes about `a.png`.
    private let names: [String]
    /// Finds captions that are spelled in another normal form than their images.
    private var spellings = FileNames()
    /// Captions whose encoding was guessed.
    private var guessed: [String] = []

    /// Endings of images that are read, and of others that people take for such.
    private static let endings = ["png", "jpg", "jpeg", "jfif", "jpe", "webp"]
    private static let otherEndings: Set<String> = [
        "bmp", "dib", "gif", "tif", "tiff", "jp2", "j2k", "jxl", "avif", "heic", "heif", "tga",
        "ico",
        "psd", "ppm", "pgm", "pnm", "svg", "dng", "cr2", "cr3", "nef", "arw", "exr", "hdr", "apng",
    ]

    /// - Throws: `DataError` for what is no folder.
    init(_ path: String) throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw DataError(path: path, reason: .unreadable("it is no folder"))
        }
        self.path = path
        self.names = names.filter { !$0.hasPrefix(".") }.sorted()
        try requireUTF8()
    }

    /// Bytes that are no text are listed as a sign that no file is found by.
    private func requireUTF8() throws {
        let foreign = names.filter {
            $0.contains("\u{FFFD}") && access(path + "/" + $0, F_OK) != 0
        }
        guard let first = foreign.first else { return }
        throw DataError(
            path: path,
            reason: .unfit(
                "names that are not UTF-8 (\(foreign.count), such as '\(first)') lead to no file; rename "
                    + "them"))
    }

    /// A row for each image.
    ///
    /// - Throws: `DataError` for an image without caption, and a folder without images.
    mutating func rows() throws -> [MetadataRow] {
        let images = names.filter(Self.isRead)
        guard !images.isEmpty else {
            let listed = Self.endings.dropLast().map { "." + $0 }.joined(separator: ", ")
            throw DataError(
                path: path,
                reason: .empty(
                    "it has no \(listed) or .\(Self.endings[Self.endings.count - 1]) file"
                        + (leftOut.map { "; " + $0 } ?? "")))
        }
        return try images.map { ["image": .text($0), "prompt": .text(try caption(of: $0))] }
    }

    private mutating func caption(of image: String) throws -> String {
        let base = path + "/" + (image as NSString).deletingPathExtension
        for ending in ["txt", "caption", "TXT"] {
            guard let found = spellings.found("\(base).\(ending)") else { continue }
            let file = try TextFile.ofDataSet(found)
            if file.remark != nil { guessed.append(found) }
            return file.text.trimming(while: \.isWhitespace)
        }
        throw DataError(
            path: path + "/" + image, reason: .image("has no \(base).txt beside it"))
    }

    /// What users should know, in a line each.
    var remarks: [String] {
        var remarks: [String] = []
        if let first = guessed.first {
            remarks.append(
                "\(path): \(guessed.count) captions, such as \(first), are no UTF-8, and were read as "
                    + "Windows-1252")
        }
        if let leftOut { remarks.append("\(path): \(leftOut)") }
        return remarks
    }

    /// Images that are not read.
    private var leftOut: String? {
        let others = names.filter { Self.otherEndings.contains(Self.ending($0)) }
        let below = LocalFiles.matching("", in: path).map { String($0.dropFirst(path.count + 1)) }
            .filter { name in
                name.contains("/")
                    && (Self.isRead(name) || Self.otherEndings.contains(Self.ending(name)))
            }
        let parts = [
            (others, "of formats that are not read"), (below, "in sub-folders, which are not read"),
        ].compactMap { names, place in
            names.first.map { "\(names.count) \(place), such as '\($0)'" }
        }
        guard !parts.isEmpty else { return nil }
        return "images left out: " + parts.joined(separator: "; ")
    }

    private static func ending(_ name: String) -> String {
        (name as NSString).pathExtension.lowercased()
    }

    private static func isRead(_ name: String) -> Bool { endings.contains(ending(name)) }
}
