internal import Foundation

/// What a folder of images holds, for choosing settings by.
public struct DatasetSummary: Sendable {
    /// The folder.
    public let folder: String
    /// The file of rows in it; nil where captions lie beside the images.
    public let metadata: String?
    /// Whether rows name images that they edit.
    public let hasEdits: Bool
    /// What the samples show, in their order.
    public let captions: [String]
    /// Their sizes, for some largest area.
    public let measures: [SampleMeasure]
    /// What users should know about the data.
    public let remarks: [String]

    /// Names that a file of rows may have, in the order in which they are looked for.
    public static let metadataNames = ["metadata.csv", "metadata.json", "metadata.jsonl"]

    /// Looks at captions and at headers of images.
    ///
    /// - Parameter maxPixels: the largest area that images are trained with, and to which those are
    ///   brought that they refer to.
    /// - Throws: `DataError` naming what is not there or does not fit.
    public init(folder: String, maxPixels: Int = 1024 * 1024) throws {
        self.folder = folder
        let found = Self.metadataNames.map { folder + "/" + $0 }
            .first(where: FileManager.default.fileExists(atPath:))
        metadata = found
        let rows = try found.map { try Metadata(path: $0) } ?? Metadata(folder: folder)
        hasEdits = rows.rows.contains { ($0["edit_image"] ?? .missing) != .missing }
        var dataset = try ImageDataset(
            rows, base: folder, sizing: ImageSizing(maxPixels: maxPixels),
            imageColumns: ["image"] + (hasEdits ? ["edit_image"] : []),
            extraInputs: hasEdits ? ["edit_image"] : [])
        dataset.referenceArea = maxPixels
        remarks = dataset.remarks
        captions = try (0..<dataset.count).map(dataset.prompt)
        measures = try (0..<dataset.count).map(dataset.measure)
    }

    /// The number of samples.
    public var count: Int { measures.count }

    /// Sizes with how many images have them, the most frequent first.
    public var sizes: [(size: SampleMeasure.Size, count: Int)] {
        let counts = Dictionary(measures.map { ($0.image, 1) }, uniquingKeysWith: +)
        return counts.sorted {
            ($0.value, $0.key.tokens, $0.key.width) > ($1.value, $1.key.tokens, $1.key.width)
        }.map { ($0.key, $0.value) }
    }

    /// The sample with the most tokens.
    var largest: SampleMeasure? { measures.max { $0.tokens < $1.tokens } }

    /// Up to two captions that differ, from the beginning and the middle.
    var prompts: [String] {
        let worded = captions.filter { !$0.isEmpty }
        guard let first = worded.first else { return [] }
        let rest = worded[(worded.count / 2)...] + worded
        return [first] + [rest.first { $0 != first }].compactMap(\.self)
    }
}
