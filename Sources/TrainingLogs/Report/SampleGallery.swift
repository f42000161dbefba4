internal import Foundation
internal import Imaging

/// Images of a training, ready to be put into a page: small, but for the latest.
struct SampleGallery: Sendable {
    /// Rows that are shown at most.
    static let mostRows = 24
    /// The longest side of images of the latest step, and of others.
    static let (largeSide, smallSide) = (768, 256)

    struct Sample: Sendable {
        var name: String
        var small: PageImage
        /// Only of the latest step.
        var large: PageImage?
    }

    /// A JPEG file for a page.
    struct PageImage: Sendable {
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

    mutating func add(_ image: LoggedImage) throws {
        let isLatest = (rows.last?.step ?? .min) <= image.step
        let sample = Sample(
            name: image.name, small: try Self.encoded(image.image, side: Self.smallSide),
            large: isLatest ? try Self.encoded(image.image, side: Self.largeSide) : nil)
        let place = rows.firstIndex { $0.step >= image.step } ?? rows.count
        if place < rows.count, rows[place].step == image.step {
            rows[place].samples.append(sample)
        } else {
            rows.insert(Row(step: image.step, samples: [sample]), at: place)
            shrinkOlder()
            if rows.count > Self.mostRows { dropDensest() }
        }
    }

    private mutating func shrinkOlder() {
        for row in rows.indices.dropLast() {
            for index in rows[row].samples.indices { rows[row].samples[index].large = nil }
        }
    }

    /// Drops the row whose neighbors are nearest to each other; the first and the last stay.
    private mutating func dropDensest() {
        let inner = rows.indices.dropFirst().dropLast()
        let densest = inner.min { gap(around: $0) < gap(around: $1) }
        if let densest {
            rows.remove(at: densest)
            dropped += 1
        }
    }

    private func gap(around row: Int) -> Int { rows[row + 1].step - rows[row - 1].step }

    private static func encoded(_ image: Image, side: Int) throws -> PageImage {
        let scale = min(1, Double(side) / Double(max(image.width, image.height)))
        let width = max(1, Int((Double(image.width) * scale).rounded()))
        let height = max(1, Int((Double(image.height) * scale).rounded()))
        let scaled = image.resized(width: width, height: height, filter: .lanczos)
        let bytes = try scaled.encoded(as: .jpeg, quality: 85)
        return PageImage(
            width: width, height: height, base64: Data(bytes).base64EncodedString())
    }
}
