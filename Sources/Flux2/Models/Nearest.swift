/// The known names that somebody who wrote an unknown one may have meant.
package enum Nearest {
    /// Names that begin like the one that was written come first, then those that few letters make
    /// the same; at most three, the nearest first.
    package static func names(to written: String, among known: [String]) -> [String] {
        let word = written.lowercased()
        guard word.count > 1 else { return [] }
        let beginning = known.filter { name in
            let name = name.lowercased()
            return name.hasPrefix(word) || (name.count > 2 && word.hasPrefix(name))
        }
        let distances = known.map { ($0, distance(word, $0.lowercased())) }
        let allowed = max(1, min(3, word.count / 3))
        let similar = distances.filter { $0.1 <= allowed }.sorted { $0.1 < $1.1 }.map(\.0)
        let exactly = beginning.sorted { $0.count < $1.count }
        let all = exactly + similar.filter { !exactly.contains($0) }
        return Array(all.prefix(3))
    }

    /// `; did you mean klein-4b or klein-9b?`, or nothing.
    package static func question(_ written: String, among known: [String]) -> String {
        question(choosing: names(to: written, among: known))
    }

    /// The same of published models, by their names here, their repositories, and those without owner.
    ///
    /// - Parameter others: names of further models.
    package static func model(_ written: String, or others: [String] = []) -> String {
        let published = Variant.allCases.flatMap { variant in
            let id = variant.hubID
            let bare = String(id.drop { $0 != "/" }.dropFirst())
            // Without its owner a repository is not found, so that is no answer.
            return [(variant.rawValue, variant.rawValue), (id, id), (bare, id)]
        }
        let answers = Dictionary(published + others.map { ($0, $0) }) { first, _ in first }
        let spellings = published.map(\.0) + others
        return question(
            choosing: names(to: written, among: spellings).compactMap { answers[$0] })
    }

    /// The same of names that are chosen already.
    package static func question(choosing found: [String]) -> String {
        guard let last = found.last else { return "" }
        let others = found.dropLast().joined(separator: ", ")
        return "; did you mean " + (others.isEmpty ? last : "\(others) or \(last)") + "?"
    }

    /// Letters that are put in, left out, exchanged or swapped with their neighbors.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var rows = [Array(0...b.count)]
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                let isSame = a[i] == b[j]
                var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (isSame ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    least = min(least, rows[i - 1][j - 1] + 1)
                }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
