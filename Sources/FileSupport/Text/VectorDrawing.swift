internal import Foundation

/// Pieces of drawings in SVG.
package enum VectorDrawing {
    /// A white page of that size with these pieces on it.
    package static func page(width: Int, height: Int, _ pieces: [String]) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
        font-family="sans-serif" font-size="13">
        <rect width="\(width)" height="\(height)" fill="white"/>
        \(pieces.joined(separator: "\n"))
        </svg>

        """
    }

    /// A line of text whose foot is at `y`.
    package static func text(_ x: Int, _ y: Int, _ text: String, _ extra: String = "") -> String {
        "<text x=\"\(x)\" y=\"\(y)\" \(extra)>\(text.escapedForHTML)</text>"
    }

    /// A filled rectangle.
    package static func box(
        _ x: Double, _ y: Int, _ width: Double, _ height: Int, _ color: String
    ) -> String {
        String(
            format: "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%@\"/>", x, y,
            width, height, color)
    }
}
