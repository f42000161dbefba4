/// What `_class_name` of a `model_index.json` says of how a model is to be run.
enum PipelineClass {
    private static let known = ["Flux2Pipeline", "Flux2KleinPipeline", "Flux2KleinInpaintPipeline"]
    /// References see only themselves there, as of a time without noise, and are computed once.
    private static let keyValue = "Flux2KleinKVPipeline"

    /// What the user shall know, if anything.
    ///
    /// - Parameter references: whether the request has any.
    static func remark(on name: String?, references: Bool) -> String? {
        guard let name, !known.contains(name) else { return nil }
        guard name == keyValue else {
            return "model_index.json says '\(name.prefix(60))', expected "
                + known.joined(separator: ", ") + "; the model is run as one of these"
        }
        return references
            ? "the model is a klein-9b-kv (\(name)), whose references see only themselves; that is not "
                + "supported, so the image is that of an ordinary klein" : nil
    }

    /// The name for people of a model that an architecture alone does not tell; nil for others.
    static func title(_ name: String?) -> String? { name == keyValue ? "klein-9b-kv" : nil }
}
