/// A pixel's hue in degrees, its saturation and its value from 0 to 1.
package struct HSV: Hashable {
    package var hue: Double
    package var saturation: Double
    package var value: Double

    package init(hue: Double, saturation: Double, value: Double) {
        (self.hue, self.saturation, self.value) = (hue, saturation, value)
    }

    package init(red: UInt8, green: UInt8, blue: UInt8) {
        let (r, g, b) = (Double(red), Double(green), Double(blue))
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
}
