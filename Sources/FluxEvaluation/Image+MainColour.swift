public import Imaging

extension Image {
    /// The colour that most of what stands out from the background has; nil where nothing of it is
    /// coloured.
    ///
    /// The background is the most frequent colour of the border. Of the other pixels those count
    /// that are saturated (above 0.35; pink, a paler colour, above 0.23) and light enough (a value
    /// above 0.3); each has the name of the nearest hue.
    public var mainColour: ColourName? {
        let ground = backgroundColour
        var counts: [ColourName: Int] = [:]
        for at in stride(from: 0, to: pixels.count, by: 3) where differs(at, from: ground) {
            let pixel = HSV(red: pixels[at], green: pixels[at + 1], blue: pixels[at + 2])
            if let name = ColourName(pixel) { counts[name, default: 0] += 1 }
        }
        // Among equals the first, so that the answer is always the same.
        let most = counts.values.max()
        return ColourName.allCases.first { counts[$0] == most && most != nil }
    }

    /// The mean of the border's pixels that fall into its most frequent sixteenths of each channel.
    var backgroundColour: [Int] {
        var cells: [Int: (count: Int, sums: [Int])] = [:]
        for at in borderOffsets {
            let values = pixels[at..<(at + 3)].map(Int.init)
            let key = values.reduce(0) { 16 * $0 + $1 / 16 }
            let cell = cells[key] ?? (0, [0, 0, 0])
            cells[key] = (cell.count + 1, zip(cell.sums, values).map { $0 + $1 })
        }
        let largest = cells.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
        return largest.map { cell in cell.value.sums.map { $0 / cell.value.count } } ?? [0, 0, 0]
    }

    /// Where the outermost pixels begin.
    private var borderOffsets: [Int] {
        let rows = (0..<width).flatMap { [$0, (height - 1) * width + $0] }
        let columns = (0..<height).flatMap { [$0 * width, $0 * width + width - 1] }
        return Set(rows + columns).sorted().map { 3 * $0 }
    }

    /// Noise of a model is below this difference, in 256ths of a channel.
    private static let visibleDifference = 32

    private func differs(_ at: Int, from ground: [Int]) -> Bool {
        (0..<3).contains { abs(Int(pixels[at + $0]) - ground[$0]) > Self.visibleDifference }
    }
}
