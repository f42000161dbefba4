/// Which pixels make up each resized pixel along one side, and with what weights.
///
/// Weights are fixed-point numbers with 22 fractional bits, as Pillow has them.
struct ResamplingTable {
    static let fractionBits: Int32 = 22

    /// First source pixel of each output pixel.
    private(set) var starts: [Int] = []
    /// Number of source pixels of each output pixel.
    private(set) var counts: [Int] = []
    /// `stride` weights for each output pixel; those past its count are zero.
    private(set) var weights: [Int32] = []
    let stride: Int

    init(from input: Int, to output: Int, filter: ResamplingFilter) {
        let scale = Double(input) / Double(output)
        let spread = max(scale, 1)
        let support = filter.support * spread
        stride = Int(support.rounded(.up)) * 2 + 1
        starts.reserveCapacity(output)
        counts.reserveCapacity(output)
        weights.reserveCapacity(output * stride)
        for place in 0..<output {
            let center = (Double(place) + 0.5) * scale
            let start = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), input)
            starts.append(start)
            counts.append(end - start)
            append(filter, around: center, from: start, to: end, narrowing: 1 / spread)
        }
    }

    private mutating func append(
        _ filter: ResamplingFilter, around center: Double, from start: Int, to end: Int,
        narrowing: Double
    ) {
        let exact = (start..<end).map {
            filter.weight(at: (Double($0) - center + 0.5) * narrowing)
        }
        var sum = 0.0
        for weight in exact { sum += weight }
        for weight in exact {
            let scaled = weight / sum * Double(1 << Self.fractionBits)
            weights.append(Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5))
        }
        for _ in exact.count..<stride { weights.append(0) }
    }
}
