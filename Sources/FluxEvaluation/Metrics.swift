/// Shares of images, from 0 to 1.
public struct Metrics: Encodable, Hashable, Sendable {
    /// How often the expected image is the nearest, and how often one of the five nearest.
    public struct Hits: Encodable, Hashable, Sendable {
        /// Is the nearest.
        public var top1: Double
        /// Is one of the five nearest.
        public var top5: Double
    }

    /// By distance of latents.
    public var latents: Hits
    /// By distance of color histograms.
    public var histogram: Hits
    /// Has the color that was asked for, of the images that one was asked for; nil without such.
    public var color: Double?

    /// Counts what became of images, of which there is at least one.
    public init(of scores: [ImageScore]) {
        latents = Self.hits(scores.map(\.latentsRank))
        histogram = Self.hits(scores.map(\.histogramRank))
        let colored = scores.filter { $0.color != nil }
        color =
            colored.isEmpty ? nil : Self.mean(colored.map { $0.color == $0.seenColor ? 1 : 0 })
    }

    /// What is to be expected of images that were drawn from the pool, and of colors that were
    /// drawn from those with names.
    public init(ofChanceFor scores: [ImageScore]) {
        let hits = Hits(
            top1: Self.mean(scores.map { 1 / Double($0.pool) }),
            top5: Self.mean(scores.map { Double(min(5, $0.pool)) / Double($0.pool) }))
        (latents, histogram) = (hits, hits)
        let isColored = scores.contains { $0.color != nil }
        color = isColored ? 1 / Double(ColorName.allCases.count) : nil
    }

    private static func hits(_ ranks: [Int]) -> Hits {
        Hits(
            top1: mean(ranks.map { $0 == 1 ? 1 : 0 }), top5: mean(ranks.map { $0 <= 5 ? 1 : 0 }))
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
    }
}

/// The figures of images that belong together.
public struct GroupMetrics: Encodable, Hashable, Sendable {
    /// The group's name.
    public var group: String
    /// Images in it.
    public var rows: Int
    /// Images in it that a color was asked for.
    public var coloredRows: Int
    /// Of the images that were made.
    public var generated: Metrics
    /// Of the expected images themselves, taken as if they had been made.
    public var ceiling: Metrics
    /// Of images and colors that are drawn by lot.
    public var chance: Metrics

    /// - Parameters:
    ///   - generated: at least one.
    ///   - expected: what the same rows' expected images get.
    public init(_ group: String, generated: [ImageScore], expected: [ImageScore]) {
        self.group = group
        rows = generated.count
        coloredRows = generated.count { $0.color != nil }
        self.generated = Metrics(of: generated)
        ceiling = Metrics(of: expected)
        chance = Metrics(ofChanceFor: generated)
    }
}
