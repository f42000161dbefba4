/// The colors that are told apart by name.
public enum ColorName: String, CaseIterable, Codable, Hashable, Sendable {
    /// In the order of their hues; pink is a paler color between purple and red.
    case red, orange, yellow, green, blue, purple, pink

    /// Degrees on the circle of hues.
    package var hue: Double {
        switch self {
        case .red: 0
        case .orange: 28
        case .yellow: 50
        case .green: 130
        case .blue: 215
        case .purple: 275
        case .pink: 330
        }
    }

    /// How saturated it is beside the others.
    package var strength: Double { self == .pink ? Self.paleness : 1 }

    private static let paleness = 0.65
    /// Degrees that a whole step of saturation counts as, between pink and its neighbors.
    private static let degreesOfSaturation = 40.0

    /// The name that people would give a pixel; nil where it is too gray or too dark for one.
    init?(_ pixel: HSV) {
        let nearest = Self.allCases.min { $0.distance(to: pixel) < $1.distance(to: pixel) }
        guard let nearest, pixel.value > 0.3, pixel.saturation > 0.35 * nearest.strength else {
            return nil
        }
        self = nearest
    }

    /// Degrees between hues, and more where the saturation speaks against the name.
    private func distance(to pixel: HSV) -> Double {
        let apart = abs(pixel.hue - hue)
        let excess = pixel.saturation - Self.paleness
        let unlike =
            switch self {
            case .pink: max(0, excess)
            case .red, .purple: max(0, -excess)
            default: 0.0
            }
        return min(apart, 360 - apart) + Self.degreesOfSaturation * unlike
    }
}
