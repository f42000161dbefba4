package import FluxModels
package import Torch

/// What bringing one sample into the transformer's terms takes at its worst moment, in bytes.
package struct EncodingEstimate {
    private let dtype: DType
    private let threads: Int
    private let kind: Device.Kind

    /// - Parameter threads: those of one operation.
    package init(dtype: DType, threads: Int, kind: Device.Kind) {
        self.dtype = dtype
        self.threads = threads
        self.kind = kind
    }

    /// A caption of so many tokens, padding included.
    package func text(_ configuration: TextEncoderConfiguration, length: Int) throws -> Int {
        let encoder = try MetaModel(dtype) { TextEncoder($0, configuration) }.model
        return try peak {
            let features = try encoder(
                ids: Array(repeating: 0, count: length),
                real: Array(repeating: true, count: length), dtype: dtype, device: .meta)
            _ = try features.isFinite()
        }
    }

    /// An image, whole or in strips as `Tiling.automatic` takes it.
    ///
    /// - Parameter free: bytes to decide by.
    package func image(
        _ configuration: AutoencoderConfiguration, height: Int, width: Int, free: Int
    ) throws -> Int {
        let method = Tiling.automatic.method(configuration, height, width, free: free)
        let stage = EncodeStage(
            autoencoder: try MetaModel(dtype) { Autoencoder($0, configuration) }.model,
            dtype: dtype, device: .meta)
        return try peak {
            let pixels = try Tensor.empty([1, 3, height, width], dtype: dtype, device: .meta)
            _ = try stage.latents(of: pixels, by: method)
        }
    }

    private func peak(_ body: () throws -> Void) throws -> Int {
        let counter = AllocationCounter(standingFor: kind, threads: threads)
        try withoutGradients { try counter.counting(body) }
        return kind == .cpu ? counter.usage.peakHeld : counter.usage.peakLive
    }

    /// What the process needs without any tensor, when everything has been computed once.
    package static var process: Int { HostBase.bytes(after: .decode) }
}
