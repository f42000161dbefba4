internal import Foundation
public import Imaging

extension Image {
    /// The peak signal-to-noise ratio of this image against another of its size, in dB:
    /// 10 lg(255² / mean squared error), over all channels together.
    ///
    /// Eight bits show no error below that of rounding, a mean square of 1/12; so it is 58.9 dB at
    /// most, also for equal images.
    public func psnr(against other: Image) -> Double {
        precondition(
            width == other.width && height == other.height,
            "images that are compared have one size")
        let squares = zip(pixels, other.pixels).reduce(0) { sum, pair in
            let difference = Int(pair.0) - Int(pair.1)
            return sum + difference * difference
        }
        let error = max(Double(squares) / Double(pixels.count), 1.0 / 12)
        return 10 * log10(255 * 255 / error)
    }
}
