/// Names between commas, as DiffSynth-Studio's options have them.
public enum NameList {
    /// The names without blanks around them; empty ones are none.
    public static func read(_ text: some StringProtocol) -> [String] {
        text.split(separator: ",").map { String($0).trimming(while: \.isWhitespace) }
            .filter { !$0.isEmpty }
    }
}
