internal import Foundation
internal import Imaging

/// Pictures of a training, ready to be put into a page: small, but for the latest.
struct SampleGallery: Sendable {
    /// Rows that are shown at most.
    static let mostRows = 24
    /// The longest side of pictures of the latest step, and of others.
    static let (largeSide, smallSide) = (768, 256)

    struct Sample: Sendable {
        var name: String
        var small: Picture
        /// Only of the latest step.
        var large: Picture?
    }

    /// A JPEG file for a page.
    struct Picture: Sendable {
        var width: Int
        var height: Int
        var base64: String
    }

    struct Row: Sendable {
        var step: Int
        var samples: [Sample]
    }

    /// In the order of steps.
    private(set) var rows: [Row] = []
    /// Rows that had to make room.
    var dropped = 0

    mutating func add(_ picture: LoggedPicture) throws {
        let isLatest = (rows.last?.step ?? .min) <= picture.step
        let sample = Sample(
            name: picture.name, small: try Self.encoded(picture.image, side: Self.smallSide),
            large: isLatest ? try Self.encoded(picture.image, side: Self.largeSide) : nil)
        let place = rows.firstIndex { $0.step >= picture.step } ?? rows.count
        if place < rows.count, rows[place].step == picture.step {
            rows[place].samples.append(sample)
        } else {
            rows.insert(Row(step: picture.step, samples: [sample]), at: place)
            shrinkOlder()
            if rows.count > Self.mostRows { dropDensest() }
        }
    }

    private mutating func shrinkOlder() {
        for row in rows.indices.dropLast() {
            for index in rows[row].samples.indices { rows[row].samples[index].large = nil }
        }
    }

    /// Drops the row whose neighbours are nearest to each other; the first and the last stay.
    private mutating func dropDensest() {
        let inner = rows.indices.dropFirst().dropLast()
        let densest = inner.min { gap(around: $0) < gap(around: $1) }
        if let densest {
            rows.remove(at: densest)
            dropped += 1
        }
    }

    private func gap(around row: Int) -> Int { rows[row + 1].step - rows[row - 1].step }

    private static func encoded(_ image: Image, side: Int) throws -> Picture {
        let scale = min(1, Double(side) / Double(max(image.width, image.height)))
        let width = max(1, Int((Double(image.width) * scale).rounded()))
        let height = max(1, Int((Double(image.height) * scale).rounded()))
        let scaled = image.resized(width: width, height: height, filter: .lanczos)
        let bytes = try scaled.encoded(as: .jpeg, quality: 85)
        return Picture(
            width: width, height: height, base64: Data(bytes).base64EncodedString())
    }
}
