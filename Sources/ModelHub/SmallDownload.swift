internal import Foundation

/// Fetches small files from any server, such as the images of a data set.
public enum SmallDownload {
    /// The whole of what an address holds.
    ///
    /// Three tries are made, one second and two seconds apart.
    ///
    /// - Parameter limit: bytes beyond which it is refused.
    /// - Throws: `HubError` naming the address; `CancellationError` when the task is cancelled.
    public static func bytes(
        of address: String, _ settings: HubSettings, limit: Int = 1 << 28
    ) throws -> [UInt8] {
        if let because = settings.offlineBecause {
            throw HubError(address, .offline(because: because, searched: []))
        }
        let cancellation = Cancellation()
        let retryPolicy = RetryPolicy(
            attempts: 3, attemptsUnanswered: 3, pause: 1, cancellation: cancellation,
            onWait: { _, _ in })
        let session = try HTTPSession(settings, cancellation)
        do {
            return try retryPolicy(address, hub: "the server") {
                var body: [UInt8] = []
                try session.get(address, credentials: nil) { piece in
                    if Task.isCancelled { throw CancellationError() }
                    guard body.count + piece.count <= limit else {
                        throw HTTPError.refused("holds more than \(limit >> 20) MiB")
                    }
                    body.append(contentsOf: piece)
                }
                return body
            }
        } catch HTTPError.status(let head, _) {
            throw HubError(address, .status(head.status, hub: "the server", attempts: 1))
        }
    }
}
