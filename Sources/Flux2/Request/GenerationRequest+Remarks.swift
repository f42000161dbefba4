internal import FluxModels
internal import Imaging

/// What of a request changes nothing, so that nobody believes that it did.
extension GenerationRequest {
    /// In the words of the command line, as the whole of ``validate()`` is.
    ///
    /// - Parameter embedsGuidance: whether the transformer takes guidance as an input.
    func remarks(embedsGuidance: Bool) -> [String] {
        guidanceRemarks(embedsGuidance) + startRemarks + loraRemarks
            + [inpainting?.remark(width: width, height: height), blurRemark, tilingRemark]
            .compactMap(\.self)
    }

    private func guidanceRemarks(_ embedsGuidance: Bool) -> [String] {
        var remarks: [String] = []
        if !negativePrompt.isEmpty, cfgScale == 1 {
            remarks.append("--negative-prompt has no effect while --cfg-scale is 1")
        }
        let usual = GenerationRequest(prompt: "", seed: 0).embeddedGuidance
        let isNamed = embeddedGuidance != usual || named.contains(.embeddedGuidance)
        if !embedsGuidance, isNamed {
            remarks.append(
                "--embedded-guidance has no effect: this model takes none as an input")
        }
        return remarks
    }

    private var startRemarks: [String] {
        var remarks: [String] = []
        if inputImage != nil, inpainting == nil, denoisingStrength == 1 {
            remarks.append(
                "--input-image has no effect while --denoising-strength is 1, which is noise alone")
        }
        if !resizesEditImages, editImages.isEmpty {
            remarks.append("--no-edit-image-auto-resize has no effect without --edit-image")
        }
        if let stepCache, stepCache == 0 || steps <= 2 {
            remarks.append(
                stepCache == 0
                    ? "--step-cache 0 skips no step"
                    : "--step-cache has no effect: the first step and the last are always complete")
        }
        guard initialNoise != nil else { return remarks }
        if named.contains(.seed) { remarks.append("--seed has no effect beside --initial-noise") }
        if randomDevice.kind != .cpu {
            remarks.append("--rand-device has no effect beside --initial-noise")
        }
        return remarks
    }

    private var loraRemarks: [String] {
        var remarks = loras.filter { $0.strength == 0 }
            .map { "\($0.path): has no effect with a weight of 0" }
        if loraMode == .fused, !loras.isEmpty, loras.allSatisfy({ $0.branch != nil }) {
            remarks.append(
                "--lora-mode fused has no effect on LoRAs of one pass of guidance, which are "
                    + "always applied beside the weights")
        }
        return remarks
    }

    private var blurRemark: String? {
        inpainting?.blur?.size == 0 ? "--inpaint-blur-size 0 blurs nothing" : nil
    }

    /// One tile that holds the whole image is no tiling.
    private var tilingRemark: String? {
        guard case .feathered(let tiles) = tiling, !readsImages,
            8 * tiles.size >= max(roundedSize.width, roundedSize.height)
        else { return nil }
        return "--tiled has no effect: one tile of \(8 * tiles.size) pixels holds the image"
    }

    /// Settings that a caller has named, also where they are as they would be without.
    package enum NamedSetting: Hashable, Sendable {
        /// `--embedded-guidance`.
        case embeddedGuidance
        /// `--seed`.
        case seed
    }
}

extension GenerationRequest.Inpainting {
    /// What a mask of one value comes to, once it is as small as the latents.
    fileprivate func remark(width: Int, height: Int) -> String? {
        let pixels = mask.resized(
            width: (width + 15) / 16, height: (height + 15) / 16, filter: .bicubic
        ).pixels
        guard let least = pixels.min(), least == pixels.max() else { return nil }
        return switch least {
        case 0: "--inpaint-mask is black everywhere: nothing is painted anew"
        case 255: "--inpaint-mask is white everywhere: all is painted anew, as without it"
        default: "--inpaint-mask has one value everywhere, \(least) of 255: it shows no place"
        }
    }
}

extension Pipeline {
    /// What of a request changes nothing with this model.
    func remarks(on request: GenerationRequest) -> [String] {
        request.remarks(embedsGuidance: architecture.transformer.embedsGuidance)
    }
}
