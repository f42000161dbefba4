extension Image {
    /// A sheet that shows images in rows, each centered in a cell of the largest size.
    ///
    /// - Parameters:
    ///   - images: images, row by row.
    ///   - columns: images in a row; without it the sheet is about as wide as high in cells.
    ///   - gap: pixels between cells and around them.
    ///   - shade: gray level of the background, 255 is white.
    /// - Throws: `ImagingError` without images, or where the sheet exceeds 2^28 pixels or 16384
    ///   on a side.
    public static func contactSheet(
        _ images: [Image], columns: Int? = nil, gap: Int = 8, shade: UInt8 = 255
    ) throws -> Image {
        guard let cellWidth = images.map(\.width).max(), let cellHeight = images.map(\.height).max()
        else { throw ImagingError(.noImages) }
        let square = Int(Double(images.count).squareRoot().rounded(.up))
        let columns = min(max(columns ?? square, 1), images.count)
        let rows = (images.count + columns - 1) / columns
        let gap = max(gap, 0)
        let width = columns * (cellWidth + gap) + gap
        let height = rows * (cellHeight + gap) + gap
        try PixelLimit.check(width: width, height: height)
        var sheet = Image(width: width, height: height, red: shade, green: shade, blue: shade)
        for (index, image) in images.enumerated() {
            sheet.paste(
                image,
                x: gap + index % columns * (cellWidth + gap) + (cellWidth - image.width) / 2,
                y: gap + index / columns * (cellHeight + gap) + (cellHeight - image.height) / 2)
        }
        return sheet
    }
}
