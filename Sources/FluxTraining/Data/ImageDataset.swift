internal import FileSupport
internal import Foundation
public import Imaging
internal import ModelHub

/// Rows of metadata with their images, each as often as it is to be repeated.
public struct ImageDataset: Sendable {
    /// What rows say.
    public let metadata: Metadata
    /// How large images are made.
    public let sizing: ImageSizing
    /// The folder that paths are relative to.
    public let base: String
    /// Columns that name images.
    public let imageColumns: Set<String>
    /// Columns that are handed to the objective.
    public let extraInputs: [String]
    /// How images are decoded.
    public let options: ReadOptions
    /// The area in pixels that images which prompts refer to are resized to.
    public var referenceArea = 1024 * 1024
    /// What users should know about the rows and their files.
    public private(set) var remarks: [String] = []
    /// Paths that the disk spells in another normal form than rows do.
    private var spellings: [String: String] = [:]

    /// Checks the rows' columns; no image is read.
    ///
    /// - Parameters:
    ///   - base: the folder that paths are relative to.
    ///   - imageColumns: columns that name images; rows may lack them, except `image`.
    ///   - extraInputs: columns that every row has to have besides.
    /// - Throws: `DataError` naming a row.
    public init(
        _ metadata: Metadata, base: String, sizing: ImageSizing,
        imageColumns: [String] = ["image"], extraInputs: [String] = [],
        options: ReadOptions = ReadOptions()
    ) throws {
        self.metadata = metadata
        self.base = base
        self.sizing = sizing
        self.imageColumns = Set(imageColumns)
        self.extraInputs = extraInputs
        self.options = options
        for number in metadata.rows.indices { try check(number) }
        spellings = try spelled()
        remarks = metadata.remarks + ColumnUse(imageColumns, extraInputs).remarks(metadata)
    }

    /// The number of rows.
    public var count: Int { metadata.rows.count }

    private func error(_ row: Int, _ reason: DataError.Reason) -> DataError {
        DataError(path: metadata.path, row: row + 1, reason: reason)
    }

    private func check(_ number: Int) throws {
        _ = try image(number)
        _ = try prompt(number)
        _ = try extras(number)
        if extraInputs.contains("edit_image") { _ = try paths("edit_image", number) }
    }

    private func value(_ column: String, _ number: Int) throws -> MetadataValue {
        let value = metadata.rows[number][column] ?? .missing
        guard value != .missing else { throw error(number, .missing(column: column)) }
        return value
    }

    func paths(_ column: String, _ number: Int) throws -> [String] {
        let value = try value(column, number)
        guard imageColumns.contains(column) else {
            throw error(
                number,
                .unexpected(
                    column: column, expected: "named by --data_file_keys", found: "left out there"))
        }
        guard let paths = value.paths, !paths.isEmpty, !paths.contains("") else {
            throw error(
                number, .unexpected(column: column, expected: "a path", found: value.shown))
        }
        return paths
    }

    /// The image to learn, of which a row has one.
    private func image(_ number: Int) throws -> String {
        let paths = try paths("image", number)
        guard paths.count == 1 else {
            throw error(
                number,
                .unexpected(
                    column: "image", expected: "one path", found: "a list of \(paths.count)"))
        }
        return paths[0]
    }

    /// What the row's image shows; nothing where the column is there and empty.
    public func prompt(_ number: Int) throws -> String {
        guard let value = metadata.rows[number]["prompt"] else {
            throw error(number, .missing(column: "prompt"))
        }
        if value == .missing { return "" }
        guard let prompt = value.text else {
            throw error(
                number, .unexpected(column: "prompt", expected: "a text", found: value.shown))
        }
        return prompt
    }

    private func extras(_ number: Int) throws -> SampleExtras {
        var extras = SampleExtras()
        for name in extraInputs where name != "edit_image" {
            let value = try value(name, number)
            if let expected = extras.take(name, value) {
                throw error(
                    number, .unexpected(column: name, expected: expected, found: value.shown))
            }
        }
        return extras
    }

    /// The files of a row, and what it says besides.
    func paths(_ number: Int) throws -> (
        image: String, references: [String], extras: SampleExtras
    ) {
        let references =
            extraInputs.contains("edit_image") ? try paths("edit_image", number) : []
        return (
            try absolute(image(number)), references.map(absolute), try extras(number)
        )
    }

    private func absolute(_ path: String) -> String {
        guard !Self.isAddress(path) else { return path }
        let whole = path.hasPrefix("/") || base.isEmpty ? path : base + "/" + path
        return spellings[whole] ?? whole
    }

    static func isAddress(_ path: String) -> Bool {
        path.hasPrefix("http://") || path.hasPrefix("https://")
    }

    private func readImage(_ path: String, _ number: Int) throws -> Image {
        do {
            guard Self.isAddress(path) else {
                return try Image(contentsOf: absolute(path), options: options)
            }
            return try Image(
                decoding: SmallDownload.bytes(of: path, HubSettings()), options: options)
        } catch {
            throw self.error(number, .image("\(error)"))
        }
    }

    /// The size of an image as it is read, from its header.
    func storedSize(of path: String) throws -> (width: Int, height: Int) {
        guard Self.isAddress(path) else {
            return try Image.storedSize(of: path, orientation: options.orientation)
        }
        return try Image.storedSize(
            in: SmallDownload.bytes(of: path, HubSettings()), orientation: options.orientation)
    }

    /// Reads a row's images and makes them fit.
    ///
    /// - Throws: `DataError` naming the row.
    public func item(_ number: Int) throws -> TrainingItem {
        let path = try image(number)
        var item = TrainingItem(
            row: number,
            image: try sizing.fitted(readImage(path, number), path: absolute(path)),
            prompt: try prompt(number))
        item.extras = try extras(number)
        if extraInputs.contains("edit_image") {
            item.editImages = try paths("edit_image", number).map {
                try sizing.fitted(readImage($0, number), path: absolute($0))
            }
        }
        return item
    }

    /// Every file that rows name, as the disk spells it where it is there.
    private func files() throws -> Set<String> {
        let columns = ["image"] + (extraInputs.contains("edit_image") ? ["edit_image"] : [])
        let named = try metadata.rows.indices.flatMap { row in
            try columns.flatMap { try paths($0, row).map(absolute) }
        }
        return Set(named.filter { !Self.isAddress($0) })
    }

    private func spelled() throws -> [String: String] {
        var names = FileNames()
        return try files().reduce(into: [:]) { spellings, path in
            guard let found = names.found(path), !found.utf8.elementsEqual(path.utf8) else {
                return
            }
            spellings[path] = found
        }
    }

    /// Every file that rows name and that is not there.
    public func missingFiles() throws -> [String] {
        try files().filter { !FileManager.default.fileExists(atPath: $0) }.sorted()
    }
}
