import FluxEvaluation

/// The colors that captions know are those that figures tell apart.
typealias Palette = ColorName

extension ColorName {
    /// As a background.
    var paint: (red: UInt8, green: UInt8, blue: UInt8) {
        var pixel: [UInt8] = [0, 0, 0]
        HSV(hue: hue, saturation: self == .pink ? 0.45 : 0.75, value: self == .pink ? 1 : 0.93)
            .write(to: &pixel, at: 0)
        return (pixel[0], pixel[1], pixel[2])
    }
}

extension HSV {
    init(_ pixels: [UInt8], at place: Int) {
        self.init(red: pixels[place], green: pixels[place + 1], blue: pixels[place + 2])
    }

    /// Whether people would give it the name of a color.
    var isColored: Bool { saturation > 0.35 && value > 0.3 }

    func write(to pixels: inout [UInt8], at place: Int) {
        for (channel, offset) in [5.0, 3.0, 1.0].enumerated() {
            let k = (offset + hue / 60).truncatingRemainder(dividingBy: 6)
            let share = value - value * saturation * max(0, min(k, 4 - k, 1))
            pixels[place + channel] = UInt8((255 * share).rounded())
        }
    }
}
