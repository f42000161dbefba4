import ArgumentParser
import FileSupport
import FluxTraining
import Foundation
import Imaging

/// Where an evaluation's images, sheet and report go, and where images are found again.
struct EvaluationFolder: Sendable {
    private let path: String
    private let overwrite: Bool

    /// The longest side of an image on the sheet.
    private static let side = 128
    /// Pairs beside each other on the sheet.
    private static let columns = 10
    /// So many fit into the largest image that is written.
    private static let largestSheet = 1000

    var report: String { "\(path)/report.json" }
    private var sheet: String { "\(path)/sheet.png" }

    /// Makes the folder, and refuses what could not be written at the end.
    ///
    /// - Parameter rows: those whose images will be kept.
    init(_ path: String, rows: [EvaluationRow], overwrite: Bool) throws {
        self.path = path
        self.overwrite = overwrite
        try Folder.make(rows.isEmpty ? path : path + "/pictures")
        for file in rows.map(place) + [report, sheet] {
            try AtomicFile.checkWritable(file, overwrite: overwrite)
        }
    }

    private func place(_ row: EvaluationRow) -> String { "\(path)/pictures/\(row.number).png" }

    /// Writes the image of a row as soon as it is there.
    func keep(_ image: Image, of row: EvaluationRow) throws {
        try image.write(to: place(row), overwrite: overwrite)
    }

    /// Writes figures, and pairs of images for eyes.
    func write(_ outcome: EvaluationOutcome) throws {
        if !outcome.pairs.isEmpty {
            try Image.contactSheet(
                Array(outcome.pairs.prefix(Self.largestSheet)), columns: Self.columns
            ).write(to: sheet, overwrite: overwrite)
        }
        let text = try JSON.line(
            EvaluationOutcome.Report(summary: outcome.summary, rows: outcome.rows))
        try AtomicFile.write(report, bytes: Array((text + "\n").utf8), overwrite: overwrite)
    }

    /// A generated image with the expected one to its right, small enough for a sheet.
    static func pair(_ generated: Image, _ expected: Image) throws -> Image {
        try Image.contactSheet([generated, expected].map(small), columns: 2, gap: 1, shade: 160)
    }

    private static func small(_ image: Image) -> Image {
        let longest = max(image.width, image.height)
        guard longest > side else { return image }
        return image.resized(
            width: max(1, image.width * side / longest),
            height: max(1, image.height * side / longest), filter: .lanczos)
    }

    /// The images of rows among those of a folder that end in a number.
    ///
    /// - Throws: `DataError` where one is missing, or there are two.
    static func images(in folder: String, of rows: [EvaluationRow]) throws -> [Int: String] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw DataError(path: folder, reason: .unreadable("it is no folder"))
        }
        var found: [Int: String] = [:]
        for name in names.sorted() where ImageFormat(path: name) != nil {
            let stem = (name as NSString).deletingPathExtension
            guard let number = stem.split(separator: "-").last.flatMap({ Int($0) }) else {
                continue
            }
            if let other = found.updateValue("\(folder)/\(name)", forKey: number) {
                throw DataError(
                    path: other, reason: .image("has the number of \(name) in the same folder"))
            }
        }
        if let row = rows.first(where: { found[$0.number] == nil }) {
            throw DataError(
                path: folder,
                reason: .image("has no image of row \(row.number), such as \(row.number).png"))
        }
        return found
    }
}
