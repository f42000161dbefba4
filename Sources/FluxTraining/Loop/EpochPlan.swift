/// A sample of an epoch.
struct PlacedSample: Hashable, Sendable {
    /// Its place in the order of the whole epoch, which its random numbers follow from.
    var place: Int
    /// Its number in the source.
    var sample: Int
}

/// The micro-batches of one epoch for one process.
struct EpochPlan: Sendable {
    let batches: [[PlacedSample]]

    /// - Parameters:
    ///   - order: samples in the order of the epoch.
    ///   - keys: by sample, what those in one batch have in common; not asked for single ones.
    init(
        order: [Int], batchSize: Int, rank: Int, processes: Int, key: (Int) throws -> String
    ) rethrows {
        let placed = order.enumerated().map { PlacedSample(place: $0.offset, sample: $0.element) }
        let all =
            batchSize == 1
            ? placed.map { [$0] } : try Self.grouped(placed, batchSize, key)
        let steps = (all.count + processes - 1) / processes
        batches = (0..<steps).map { step in
            let place = step * processes + rank
            let batch = all[place % all.count]
            // What fills up the end is looked at with other random numbers than the first time.
            return place < all.count
                ? batch
                : batch.map { PlacedSample(place: $0.place + order.count, sample: $0.sample) }
        }
    }

    /// Collects samples of one size until there are enough for a batch; what is left at the end makes
    /// smaller ones.
    private static func grouped(
        _ samples: [PlacedSample], _ size: Int, _ key: (Int) throws -> String
    ) rethrows -> [[PlacedSample]] {
        var full: [[PlacedSample]] = []
        var open: [String: [PlacedSample]] = [:]
        for sample in samples {
            let key = try key(sample.sample)
            open[key, default: []].append(sample)
            guard open[key]?.count == size, let batch = open.removeValue(forKey: key) else {
                continue
            }
            full.append(batch)
        }
        return full + open.values.sorted { $0[0].place < $1[0].place }
    }

    /// Updates that the epoch makes: one after so many micro-batches, and one at its end.
    func updates(accumulation: Int) -> Int {
        (batches.count + accumulation - 1) / accumulation
    }
}
