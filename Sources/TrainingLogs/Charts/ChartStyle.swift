/// Colors of charts.
enum ChartStyle {
    /// The color of a curve, on light and dark ground.
    enum Color: String, CaseIterable, Sendable {
        case blue, orange, violet, green

        fileprivate var light: String {
            switch self {
            case .blue: "#2a6f97"
            case .orange: "#d9722e"
            case .violet: "#7b4fc9"
            case .green: "#2a8c7d"
            }
        }

        fileprivate var dark: String {
            switch self {
            case .blue: "#6cb6e4"
            case .orange: "#f4a261"
            case .violet: "#b794f6"
            case .green: "#5fd0bd"
            }
        }

        var stroke: String { "class=\"line-\(rawValue)\" stroke=\"\(light)\"" }
    }

    static let ink = "#24292f"
    static let faintInk = "#6a737d"
    static let grid = "#e3e6ea"
    static let base = "#b5bcc4"

    /// What changes on a dark ground.
    static func dark(for scope: String) -> String {
        let lines = Color.allCases.map {
            "\(scope) .line-\($0){stroke:\($0.dark)}"
        }
        return """
            @media (prefers-color-scheme:dark){\(scope) text{fill:#e2e6ea}\
            \(scope) .tick{fill:#98a2ad}\(scope) .grid{stroke:#2b3138}\(scope) .base{stroke:#59636e}\
            \(scope) .ground{fill:#16191d}\(lines.joined())}
            """
    }
}
