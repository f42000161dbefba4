import FileSupport
import Foundation
import Synchronization

/// What the program says besides its results: always on standard error.
struct Reporter: Sendable {
    let quiet: Bool
    /// Whether a person watches, so that a line may be drawn over.
    let isInteractive = isatty(STDERR_FILENO) == 1
    private let warningLog = WarningLog()

    init(quiet: Bool) {
        self.quiet = quiet
    }

    /// All warnings so far, in order, for results in JSON.
    var warnings: [String] { warningLog.texts.withLock(\.self) }

    /// A line of progress or information, which `--quiet` silences.
    func notice(_ line: String) {
        guard !quiet else { return }
        tell(line + "\n")
    }

    /// Something that may make the result another one than expected. `--quiet` does not silence it, and a
    /// text is told once.
    func warn(_ text: String) {
        let isNew = warningLog.texts.withLock { texts in
            guard !texts.contains(text) else { return false }
            texts.append(text)
            return true
        }
        if isNew { tell("warning: \(text)\n") }
    }

    /// What copies of a reporter share.
    private final class WarningLog: Sendable {
        let texts = Mutex<[String]>([])
    }

    /// Text for people, in which nothing controls the terminal.
    func tell(_ text: String) { write(ShownText.of(text)) }

    /// Text as it is.
    func write(_ text: String) {
        do {
            try Array(text.utf8).withUnsafeBytes {
                try AtomicFile.append($0, to: STDERR_FILENO, of: "standard error")
            }
        } catch let error as FileError {
            // Whoever was reading is gone, and would have ended the program in other ways, too.
            if case .failed(_, EPIPE) = error.reason { Interrupts.shared.outputClosed() }
        } catch {}
    }
}

enum Terminal {
    /// `0.42 s`, `12.3 s`, `4:05` or `1:02:03`.
    static func seconds(_ value: Double) -> String {
        if value < 10 { return String(format: "%.2f s", value) }
        if value < 100 { return String(format: "%.1f s", value) }
        // Forecasts of what nobody waits for, too.
        let whole = Int(min(value, 1e15).rounded())
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, rest)
            : String(format: "%d:%02d", minutes, rest)
    }

    /// The usual width of a bar.
    static let barWidth = 24

    /// The columns of the window, as it is now.
    static var columns: Int {
        var size = winsize()
        if ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
            return Int(size.ws_col)
        }
        return ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }

    /// `██████░░░░` for a share between 0 and 1.
    static func bar(_ share: Double, width: Int = barWidth) -> String {
        let filled = Int((min(max(share, 0), 1) * Double(width)).rounded())
        return String(repeating: "█", count: filled)
            + String(repeating: "░", count: width - filled)
    }

    /// `fetch   ██████░░░░ 60 %  1.2 GB of 2.0 GB, 85 MB/s, 9.4 s left`.
    ///
    /// - Parameters:
    ///   - before: bytes that were done before the work began.
    ///   - elapsed: seconds since then.
    static func progress(
        _ what: String, _ done: Int, of total: Int, before: Int = 0, elapsed: Double
    ) -> ProgressLine {
        let share = min(1, Double(done) / Double(max(1, total)))
        let rate = Double(done - before) / max(elapsed, 1e-3)
        let left = rate > 0 ? Double(total - done) / rate : .infinity
        return ProgressLine(
            title: what, share: share,
            details: [
                "\(Int(share * 100)) %", "\(bytes(done)) of \(bytes(total))",
                "\(bytes(Int(rate)))/s",
            ] + (left.isFinite ? ["\(seconds(max(0, left))) left"] : []))
    }

    /// `12.3 GB`, `512 MB`, … in powers of ten.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 {
                return String(
                    format: value < 10 && unit != "B" ? "%.1f %@" : "%.0f %@", value, unit)
            }
            value /= 1000
        }
        return String(format: "%.1f TB", value)
    }
}
