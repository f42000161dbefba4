import ArgumentParser
import Flux2
import Imaging
import Checkpoints

/// Images and tensors that a generation starts from or refers to.
struct InputOptions: ParsableArguments {
    @Option(help: "Image to start from, as large as the one that is made.", completion: .file())
    var inputImage: String?

    @Flag(help: "Resize and crop --input-image and --inpaint-mask to that size.")
    var fitInputImage = false

    @Option(help: "Noise added to --input-image, 0 to 1; 1 is noise alone. Default: 1.")
    var denoisingStrength: Double?

    @Option(help: "Reference image for the prompt; may be repeated.", completion: .file())
    var editImage: [String] = []

    @Flag(
        inversion: .prefixedNo,
        help: "Resize --edit-image to about a megapixel, or only to multiples of 16.")
    var editImageAutoResize: Bool?

    @Option(
        help: """
            Mask over --input-image: white is painted anew; black and transparent places are kept.
            """, completion: .file())
    var inpaintMask: String?

    @Option(help: "Reach of the mask's blur, in tokens of 16 pixels; needs --inpaint-blur-sigma.")
    var inpaintBlurSize: Int?

    @Option(help: "Width of the mask's blur, in tokens; needs --inpaint-blur-size.")
    var inpaintBlurSigma: Double?

    @Option(
        help: "Noise to start from: a .safetensors file with `noise` [1,128,h,w].",
        completion: .file())
    var initialNoise: String?

    @Option(
        help: "Prompt embedding to append: a .safetensors file with one [1,T,J].",
        completion: .file())
    var extraTextEmbedding: String?

    @Option(help: "Embedding to append to the negative prompt's.", completion: .file())
    var negativeExtraTextEmbedding: String?

    @Option(
        help: "KV cache of blocks: a .safetensors file of `double_0.k`, `double_0.v`, ….",
        completion: .file())
    var kvCache: String?

    @Option(help: "KV cache for the negative prompt.", completion: .file())
    var negativeKvCache: String?

    @Flag(help: "Read images as stored, whatever their EXIF orientation is.")
    var ignoreExif = false

    @Flag(help: "Drop transparency instead of compositing on white, and masks on black.")
    var dropAlpha = false

    func validate() throws {
        func require(_ holds: Bool, _ message: String) throws {
            if !holds { throw ValidationError(message) }
        }
        try require(
            (inpaintBlurSize == nil) == (inpaintBlurSigma == nil),
            "--inpaint-blur-size and --inpaint-blur-sigma go together")
        try require(
            inpaintMask != nil || inpaintBlurSize == nil,
            "--inpaint-blur-size needs --inpaint-mask")
        for (given, name) in [
            (fitInputImage, "--fit-input-image"),
            (denoisingStrength != nil, "--denoising-strength"),
            (inpaintMask != nil, "--inpaint-mask"),
        ] {
            try require(!given || inputImage != nil, "\(name) needs --input-image")
        }
        try require(
            editImageAutoResize != false || !editImage.isEmpty,
            "--no-edit-image-auto-resize needs --edit-image")
        let reads = inputImage != nil || !editImage.isEmpty || inpaintMask != nil
        try require(!ignoreExif || reads, "--ignore-exif needs an image")
        try require(!dropAlpha || reads, "--drop-alpha needs an image")
    }
}

extension InputOptions {
    /// Reads what is named and puts it into the request.
    func complete(_ request: inout GenerationRequest, _ report: Reporter) throws {
        let size = request.roundedSize
        request.inputImage = try inputImage.map { fitted(try read($0), to: size) }
        request.denoisingStrength = denoisingStrength ?? 1
        request.editImages = try editImage.map(read)
        request.resizesEditImages = editImageAutoResize ?? true
        request.inpainting = try inpaintMask.map { path in
            let mask = fitted(
                try MaskFile(path, readOptions(.compositeOnBlack), report).image, to: size)
            if (mask.height, mask.width) != size {
                report.notice("the mask's \(mask.width)x\(mask.height) pixels are resized")
            }
            return .init(mask: mask, blur: blur)
        }
        request.initialNoise = try initialNoise.map { try tensor($0, preferring: "noise") }
        request.extras = try extras(extraTextEmbedding, kvCache)
        request.negativeExtras = try extras(negativeExtraTextEmbedding, negativeKvCache)
        if request.cfgScale == 1, request.negativeExtras != .init() {
            throw ValidationError(
                "inputs for the negative prompt have no effect while --cfg-scale is 1")
        }
    }

    private var blur: GenerationRequest.Inpainting.Blur? {
        guard let size = inpaintBlurSize, let sigma = inpaintBlurSigma else { return nil }
        return .init(size: size, sigma: sigma)
    }

    private func read(_ path: String) throws -> Image {
        try Image(contentsOf: path, options: readOptions(.compositeOnWhite))
    }

    private func readOptions(_ alpha: ReadOptions.Alpha) -> ReadOptions {
        ReadOptions(orientation: ignoreExif ? .ignore : .apply, alpha: dropAlpha ? .drop : alpha)
    }

    /// The options that say how an image is made, as they are written; files are not among them.
    var changes: [String] {
        [
            denoisingStrength == nil ? nil : "--denoising-strength",
            editImageAutoResize == nil ? nil : "--edit-image-auto-resize",
            inpaintBlurSize == nil ? nil : "--inpaint-blur-size",
        ].compactMap(\.self)
    }

    private func fitted(_ image: Image, to size: (height: Int, width: Int)) -> Image {
        fitInputImage
            ? image.resizedToCover(width: size.width, height: size.height, filter: .lanczos)
            : image
    }

    private func extras(
        _ embedding: String?, _ caches: String?
    ) throws -> GenerationRequest.Extras {
        var extras = GenerationRequest.Extras()
        extras.textEmbedding = try embedding.map { try tensor($0, preferring: "text_embedding") }
        if let caches { extras.caches = try keyValues(caches) }
        return extras
    }

    /// The tensor of a name, or the only one of a file.
    private func tensor(_ path: String, preferring name: String) throws -> HostTensor {
        let file = try SafetensorsFile(path: path)
        guard let info = file[name] ?? (file.tensors.count == 1 ? file.tensors[0] : nil) else {
            throw ValidationError(
                "\(path): expected a tensor '\(name)' or a single one, "
                    + "found \(file.tensors.count) others")
        }
        return HostTensor(info, of: file)
    }

    private func keyValues(_ path: String) throws -> [String: GenerationRequest.CacheRecord] {
        let file = try SafetensorsFile(path: path)
        var caches: [String: GenerationRequest.CacheRecord] = [:]
        for info in file.tensors where info.name.hasSuffix(".k") {
            let block = String(info.name.dropLast(2))
            guard let values = file[block + ".v"] else {
                throw ValidationError("\(path): '\(info.name)' has no '\(block).v' beside it")
            }
            caches[block] = .init(
                keys: HostTensor(info, of: file), values: HostTensor(values, of: file))
        }
        guard !caches.isEmpty, 2 * caches.count == file.tensors.count else {
            throw ValidationError(
                "\(path): expected pairs such as 'double_0.k' and 'double_0.v', found "
                    + "\(file.tensors.count) tensors with \(caches.count) pairs")
        }
        return caches
    }
}

/// The image of a mask, with a word on what its transparency is taken for.
private struct MaskFile {
    let image: Image

    init(_ path: String, _ options: ReadOptions, _ report: Reporter) throws {
        image = try Image(contentsOf: path, options: options)
        guard options.alpha != .drop else { return }
        var others = options
        others.alpha = .compositeOnWhite
        let onWhite = try Image(contentsOf: path, options: others)
        guard image != onWhite else { return }
        report.notice("\(path): transparent places of the mask are kept")
        guard Self.isUnclear(image, onWhite) else { return }
        report.warn(
            "\(path): besides being transparent in places, the mask is no plain black and white; it "
                + "is painted anew as far as it is bright and opaque. Was its transparency meant to "
                + "be the mask? White on black says it without doubt")
    }

    /// Whether much of what is opaque is neither black nor white.
    private static func isUnclear(_ onBlack: Image, _ onWhite: Image) -> Bool {
        let opaque = zip(onBlack.pixels, onWhite.pixels).filter { $0 == $1 }.map(\.0)
        return opaque.count { (32..<224).contains($0) } > opaque.count / 10
    }
}
