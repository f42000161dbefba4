internal import Foundation
internal import FileSupport

/// Asks a hub short questions.
struct HubRequest {
    /// Longer answers are no listings.
    private static let longest = 64 << 20

    let session: HTTPSession
    let retryPolicy: RetryPolicy
    let hub: Hub
    let credentials: HTTPSession.Credentials?

    /// Fetches JSON; the head may tell of further pages.
    ///
    /// - Throws: `HTTPError` for an answer that is no success, `HubError`, `CancellationError`.
    func json(_ address: String, about subject: String) throws -> (JSONValue, ResponseHead) {
        let answer = Answer()
        try retryPolicy(subject, hub: hub.title) {
            answer.body.removeAll()
            try session.get(address, credentials: credentials) { head in
                answer.head = head
            } onBody: { bytes in
                answer.body += bytes
                guard answer.body.count <= Self.longest else {
                    throw HubError(subject, .badAnswer("the listing is longer than 64 MB"))
                }
            }
        }
        do {
            var reader = JSONReader(answer.body)
            return (try reader.document(), answer.head)
        } catch let error as JSONError {
            throw HubError(subject, .badAnswer("\(hub.title) answered with what is \(error)"))
        }
    }

    private final class Answer {
        var head = ResponseHead()
        var body: [UInt8] = []
    }
}
