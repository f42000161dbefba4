internal import FileSupport
internal import Foundation

/// A report as a page of HTML that needs nothing but itself.
struct ReportPage {
    var content: ReportContent
    /// When it is written.
    var date: Date

    var html: String {
        let title = content.title.escapedForHTML
        let body = [header(title), facts, warnings, charts, samples, usage]
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title)</title>
            <style>
            \(ReportStyle.css)
            \(ChartStyle.dark(for: ".chart"))
            </style>
            </head>
            <body>
            <main>
            \(body.filter { !$0.isEmpty }.joined(separator: "\n"))
            </main>
            </body>
            </html>

            """
    }

    private func header(_ title: String) -> String {
        let written = date.formatted(
            .iso8601.year().month().day().dateTimeSeparator(.space)
                .time(includingFractionalSeconds: false))
        return """
            <h1>\(title)</h1>
            <p class="now"><span class="state">\(content.condition)</span>\
            \(content.progress.escapedForHTML) · written \(written) UTC</p>
            """
    }

    private var facts: String {
        guard !content.facts.isEmpty else { return "" }
        let rows = content.facts.map {
            "<div><dt>\($0.name.escapedForHTML)</dt><dd>\($0.value.escapedForHTML)</dd></div>"
        }
        return "<dl class=\"card facts\">\n\(rows.joined(separator: "\n"))\n</dl>"
    }

    private var warnings: String {
        let warnings = content.allWarnings
        guard !warnings.isEmpty else { return "" }
        let items = warnings.map { "<li>\($0.escapedForHTML)</li>" }
        return """
            <section class="warn"><strong>Worth a look</strong>
            <ul>
            \(items.joined(separator: "\n"))
            </ul></section>
            """
    }

    private var charts: String {
        let loss = content.history.loss.svg(isAlone: false)
        let small = [
            content.history.rate(width: 500).svg(isAlone: false),
            content.history.gradient(width: 500).svg(isAlone: false),
        ].compactMap(\.self).map { "<div class=\"card\">\($0)</div>" }
        let large = loss.map { "<div class=\"card\">\($0)</div>" }
        let pair = "<div class=\"pair\">\n\(small.joined(separator: "\n"))\n</div>"
        return [large, small.isEmpty ? nil : pair].compactMap(\.self).joined(separator: "\n")
    }

    private var samples: String {
        let gallery = content.gallery
        guard let latest = gallery.rows.last?.step else { return "" }
        let rows = gallery.rows.reversed().map { row in
            """
            <h3>Step \(row.step)</h3>
            <div class="row\(row.step == latest ? " latest" : "")">
            \(row.samples.map(figure).joined(separator: "\n"))
            </div>
            """
        }
        let note =
            gallery.dropped == 0
            ? ""
            : "\n<p class=\"note\">\(gallery.rows.count) of \(gallery.rows.count + gallery.dropped)"
                + " steps with samples are shown; all images are in "
                + "<a href=\"samples/\">samples/</a>.</p>"
        return "<h2>Samples</h2>\n\(rows.joined(separator: "\n"))\(note)"
    }

    private func figure(_ sample: SampleGallery.Sample) -> String {
        let name = sample.name.escapedForHTML
        let image = sample.large ?? sample.small
        return """
            <figure><img width="\(image.width)" height="\(image.height)" alt="\(name)" \
            title="\(name)" src="data:image/jpeg;base64,\(image.base64)">\
            <figcaption>\(name)</figcaption></figure>
            """
    }

    private var usage: String {
        guard let usage = content.usage else { return "" }
        return """
            <h2>How to use it</h2>
            <div class="card"><pre>\(usage.escapedForHTML)</pre></div>
            """
    }
}
