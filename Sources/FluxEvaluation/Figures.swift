/// Shares of pictures, from 0 to 1.
public struct Figures: Encodable, Hashable, Sendable {
    /// How often the expected picture is the nearest, and how often one of the five nearest.
    public struct Hits: Encodable, Hashable, Sendable {
        /// Is the nearest.
        public var top1: Double
        /// Is one of the five nearest.
        public var top5: Double
    }

    /// By distance of latents.
    public var latents: Hits
    /// By distance of colour histograms.
    public var histogram: Hits
    /// Has the colour that was asked for, of the pictures that one was asked for; nil without such.
    public var color: Double?

    /// Counts what became of pictures, of which there is at least one.
    public init(of judgements: [Judgement]) {
        latents = Self.hits(judgements.map(\.latentsRank))
        histogram = Self.hits(judgements.map(\.histogramRank))
        let coloured = judgements.filter { $0.color != nil }
        color =
            coloured.isEmpty ? nil : Self.mean(coloured.map { $0.color == $0.seenColor ? 1 : 0 })
    }

    /// What is to be expected of pictures that were drawn from the pool, and of colours that were
    /// drawn from those with names.
    public init(ofChanceFor judgements: [Judgement]) {
        let hits = Hits(
            top1: Self.mean(judgements.map { 1 / Double($0.pool) }),
            top5: Self.mean(judgements.map { Double(min(5, $0.pool)) / Double($0.pool) }))
        (latents, histogram) = (hits, hits)
        let isColoured = judgements.contains { $0.color != nil }
        color = isColoured ? 1 / Double(ColourName.allCases.count) : nil
    }

    private static func hits(_ ranks: [Int]) -> Hits {
        Hits(
            top1: mean(ranks.map { $0 == 1 ? 1 : 0 }), top5: mean(ranks.map { $0 <= 5 ? 1 : 0 }))
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(max(1, values.count))
    }
}

/// The figures of pictures that belong together.
public struct GroupFigures: Encodable, Hashable, Sendable {
    /// The group's name.
    public var group: String
    /// Pictures in it.
    public var rows: Int
    /// Pictures in it that a colour was asked for.
    public var coloredRows: Int
    /// Of the pictures that were made.
    public var generated: Figures
    /// Of the expected pictures themselves, taken as if they had been made.
    public var ceiling: Figures
    /// Of pictures and colours that are drawn by lot.
    public var chance: Figures

    /// - Parameters:
    ///   - generated: at least one.
    ///   - expected: what the same rows' expected pictures get.
    public init(_ group: String, generated: [Judgement], expected: [Judgement]) {
        self.group = group
        rows = generated.count
        coloredRows = generated.count { $0.color != nil }
        self.generated = Figures(of: generated)
        ceiling = Figures(of: expected)
        chance = Figures(ofChanceFor: generated)
    }
}
