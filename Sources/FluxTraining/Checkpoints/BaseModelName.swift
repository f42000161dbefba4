internal import Foundation

/// What a checkpoint calls the model that it belongs to: a name, and no place on this machine.
enum BaseModelName {
    /// A name as it was given; of a path, what its folder is called.
    static func of(_ given: String) -> String {
        let isPath =
            FileManager.default.fileExists(atPath: given)
            || ["/", "./", "../", "~"].contains(where: given.hasPrefix)
        guard isPath else { return given }
        let words = URL(fileURLWithPath: given).standardizedFileURL.pathComponents
        // Hugging Face's cache names folders by repositories, ModelScope's has no dots in names.
        if let snapshot = words.last(where: { $0.hasPrefix("models--") }) {
            return String(snapshot.dropFirst("models--".count)).replacing("--", with: "/")
        }
        return (words.last ?? "").replacing("___", with: ".")
    }
}
