package import FluxModels
package import Torch

/// What bringing one sample into the transformer's terms takes at its worst moment, in bytes.
package struct EncodingFootprint {
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
    package func text(_ configuration: TextEncoderConfiguration, length: Int) -> Int {
        peak { layers in
            _ = TextEncoderFootprint(
                layers: layers, configuration: configuration, tokens: length
            ).encode(length: length)
        }
    }

    /// A picture, whole or in strips as `Tiling.automatic` takes it.
    ///
    /// - Parameter free: bytes to decide by.
    package func picture(
        _ configuration: AutoencoderConfiguration, height: Int, width: Int, free: Int
    ) -> Int {
        let way = Tiling.automatic.passage(configuration, height, width, free: free)
        return peak { layers in
            let pixels = layers.tensor(3 * height * width)
            let result = AutoencoderFootprint(layers: layers, configuration: configuration)
                .passage(way, height: height, width: width, decodes: false)
            layers.heap.give(result, pixels)
        }
    }

    private func peak(_ walk: (Footprint) -> Void) -> Int {
        let heap = PieceHeap()
        heap.beginStage()
        walk(
            Footprint(
                heap: heap, bytes: dtype.byteCount, threads: threads,
                kernels: Footprint.kernels(dtype, kind)))
        return kind == .cpu ? heap.peak.held : heap.peak.live
    }

    /// What the process needs without any tensor, when everything has been computed once.
    package static var process: Int { HostBase.bytes(after: .decode) }
}
