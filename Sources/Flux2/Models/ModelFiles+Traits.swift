extension ModelFiles {
    /// The area in pixels that reference images are resized to: a megapixel, or what the model says that it
    /// draws where that is less.
    package var referenceArea: Int {
        let most = 1024 * 1024
        guard let height = preset?.height, let width = preset?.width, height > 0, width > 0 else {
            return most
        }
        return Int(min(Double(most), Double(height) * Double(width)))
    }

    /// Whether the text encoder knows whole words only: that of the bundled model.
    var knowsWholeWordsOnly: Bool { name == BundledModel.name }

    /// Whether the transformer was distilled to few steps.
    package var distillation: Distillation {
        Distillation(variant: variant, saysSo: isDistilled, name: name ?? "")
    }
}
