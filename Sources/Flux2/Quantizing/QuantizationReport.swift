/// What became of the weights of a component that was quantized.
public struct QuantizationReport: Hashable, Sendable, Codable {
    /// A weight that was quantized.
    public struct Layer: Hashable, Sendable, Codable {
        /// The name in the file.
        public var name: String
        /// Lengths of the dimensions, outermost first.
        public var shape: [Int]
        /// The root mean square of the change over that of the weight.
        public var error: Double
        /// The same of what the layer gives for normal random numbers, where these are rounded, too:
        /// of weights that integers are multiplied with.
        public var outputError: Double?
    }

    /// How weights were chosen and quantized.
    public var settings: QuantizationSettings
    /// The quantized weights, the most changed first.
    public var layers: [Layer] = []
    /// The names of those that stayed as they were.
    public var kept: [String] = []
    /// The root mean square of the change of all quantized weights over that of the weights.
    public var error = 0.0
    /// Bytes of the weights before.
    public var sourceBytes = 0
    /// Bytes of the file's tensors.
    public var bytes = 0

    init(_ settings: QuantizationSettings) { self.settings = settings }
}
