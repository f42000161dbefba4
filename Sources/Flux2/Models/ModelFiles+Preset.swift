internal import Foundation

extension ModelFiles {
    /// Compares what a transformer from elsewhere is called with what the preset is of; their weights
    /// alone do not tell a base model from a distilled one.
    ///
    /// - Parameter path: of the transformer.
    func remark(onTransformer path: String) -> String? {
        guard let preset, let isCalledBase = Self.isCalledBase(path) else { return nil }
        let isOfDistilled = variant?.isDistilled ?? isDistilled
        let isOfBase = variant?.companion != nil
        if isCalledBase, isOfDistilled {
            return
                "\(path): is called a base model's transformer, but steps and guidance are those "
                + "of the distilled \(preset.name); a base model takes --steps 50 --cfg-scale 4"
        }
        guard !isCalledBase, isOfBase else { return nil }
        return
            "\(path): is called a distilled model's transformer, but steps and guidance are those "
            + "of the base model \(preset.name); a distilled one takes --steps 4 --cfg-scale 1"
    }

    /// Whether the last name in a path that says something of a model says that it is a base one.
    private static func isCalledBase(_ path: String) -> Bool? {
        let names = path.lowercased().split(separator: "/").reversed()
        let words = names.map { $0.split { !$0.isLetter } }
        guard let telling = words.first(where: { $0.contains("klein") || $0.contains("flux") })
        else { return words.first?.contains("base") == true ? true : nil }
        return telling.contains("base")
    }
}
