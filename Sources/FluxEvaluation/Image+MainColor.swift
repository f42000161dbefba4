public import Imaging

extension Image {
    /// The color that most of what stands out from the background has; nil where nothing of it is
    /// colored.
    ///
    /// The background is the most frequent color of the border. Of the other pixels those count
    /// that are saturated (above 0.35; pink, a paler color, above 0.23) and light enough (a value
    /// above 0.3); each has the name of the nearest hue. A shade of the background, which surrounds
    /// what a model draws, has to differ from it by more.
    public var mainColor: ColorName? {
        let ground = backgroundColor
        let shade = ColorName(HSV(red: ground[0], green: ground[1], blue: ground[2]))
        var counts: [ColorName: Int] = [:]
        for at in stride(from: 0, to: pixels.count, by: 3) {
            let pixel = HSV(red: pixels[at], green: pixels[at + 1], blue: pixels[at + 2])
            guard let name = ColorName(pixel) else { continue }
            let least = name == shade ? Self.shadeDifference : Self.visibleDifference
            if difference(at, from: ground) > least { counts[name, default: 0] += 1 }
        }
        // Among equals the first, so that the answer is always the same.
        let most = counts.values.max()
        return ColorName.allCases.first { counts[$0] == most && most != nil }
    }

    /// The mean of the border's pixels that fall into its most frequent sixteenths of each channel.
    var backgroundColor: [UInt8] {
        var cells: [Int: (count: Int, sums: [Int])] = [:]
        for at in borderOffsets {
            let values = pixels[at..<(at + 3)].map(Int.init)
            let key = values.reduce(0) { 16 * $0 + $1 / 16 }
            let cell = cells[key] ?? (0, [0, 0, 0])
            cells[key] = (cell.count + 1, zip(cell.sums, values).map { $0 + $1 })
        }
        let largest = cells.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
        return largest.map { cell in cell.value.sums.map { UInt8($0 / cell.value.count) } } ?? [
            0, 0, 0,
        ]
    }

    /// Where the outermost pixels begin.
    private var borderOffsets: [Int] {
        let rows = (0..<width).flatMap { [$0, (height - 1) * width + $0] }
        let columns = (0..<height).flatMap { [$0 * width, $0 * width + width - 1] }
        return Set(rows + columns).sorted().map { 3 * $0 }
    }

    /// Noise of a model is below this difference, in 256ths of a channel.
    private static let visibleDifference = 32
    /// What a shade of the background has to differ by.
    private static let shadeDifference = 96

    /// The largest difference of a channel.
    private func difference(_ at: Int, from ground: [UInt8]) -> Int {
        (0..<3).reduce(0) { max($0, abs(Int(pixels[at + $1]) - Int(ground[$1]))) }
    }
}
