import Foundation

/// A kernel that weighs the pixels under a resized pixel; wider where an image shrinks.
public enum ResamplingFilter: String, CaseIterable, Hashable, Sendable {
    /// A triangle, a cubic (a = -0.5) and a windowed sinc; they reach 1, 2 and 3 pixels far.
    case bilinear, bicubic, lanczos

    /// Half the width of the kernel in pixels of the smaller image.
    var support: Double {
        switch self {
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The kernel's height at distance `x`.
    func weight(at x: Double) -> Double {
        switch self {
        case .bilinear: max(1 - abs(x), 0)
        case .bicubic: Self.cubic(abs(x))
        case .lanczos: abs(x) < 3 || x == -3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
        }
    }

    /// Cubic convolution with a = -0.5; the order of the operations decides the last bit.
    private static func cubic(_ x: Double) -> Double {
        let a = -0.5
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
        return 0
    }

    private static func sinc(_ x: Double) -> Double {
        x == 0 ? 1 : sin(x * .pi) / (x * .pi)
    }
}
