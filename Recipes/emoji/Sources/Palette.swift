/// The colours that captions know.
enum Palette: String, CaseIterable {
    case red, orange, yellow, green, blue, purple, pink

    /// Degrees on the circle of hues.
    var hue: Double {
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

    /// What saturations are multiplied with.
    var strength: Double { self == .pink ? 0.65 : 1 }

    /// As a background.
    var paint: (red: UInt8, green: UInt8, blue: UInt8) {
        var pixel: [UInt8] = [0, 0, 0]
        HSV(hue: hue, saturation: self == .pink ? 0.45 : 0.75, value: self == .pink ? 1 : 0.93)
            .write(to: &pixel, at: 0)
        return (pixel[0], pixel[1], pixel[2])
    }
}

/// Hue in degrees, saturation and value from 0 to 1.
struct HSV {
    var hue: Double
    var saturation: Double
    var value: Double

    /// Whether people would give it the name of a colour.
    var isColoured: Bool { saturation > 0.35 && value > 0.3 }
}

extension HSV {
    init(_ pixels: [UInt8], at place: Int) {
        let (r, g, b) = (
            Double(pixels[place]), Double(pixels[place + 1]), Double(pixels[place + 2])
        )
        let (high, low) = (max(r, g, b), min(r, g, b))
        let range = high - low
        value = high / 255
        saturation = high == 0 ? 0 : range / high
        guard range > 0 else {
            hue = 0
            return
        }
        let sixth =
            high == r ? (g - b) / range : high == g ? (b - r) / range + 2 : (r - g) / range + 4
        hue = (sixth < 0 ? sixth + 6 : sixth) * 60
    }

    func write(to pixels: inout [UInt8], at place: Int) {
        for (channel, offset) in [5.0, 3.0, 1.0].enumerated() {
            let k = (offset + hue / 60).truncatingRemainder(dividingBy: 6)
            let share = value - value * saturation * max(0, min(k, 4 - k, 1))
            pixels[place + channel] = UInt8((255 * share).rounded())
        }
    }
}
