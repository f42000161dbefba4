/// When a request is worth another try, and how long to wait for it.
struct RetryPolicy {
    var attempts: Int
    /// Tries without any answer; fewer where nothing has come yet, since a network that is not
    /// there does not come back.
    var attemptsUnanswered: Int
    var pause: Double
    var cancellation: Cancellation
    /// Told before each pause: seconds, and why.
    var onWait: (Double, String) -> Void

    /// Runs a request until it succeeds, fails for good, or fails too often in a row.
    ///
    /// - Parameters:
    ///   - hub: what messages call the server.
    ///   - subject: what is being fetched.
    ///   - progress: grows while something comes; a try that got something starts the count anew.
    func callAsFunction<Result>(
        _ subject: String, hub: String, progress: () -> Int = { 0 }, _ body: () throws -> Result
    ) throws -> Result {
        var failures = 0
        var reached = progress()
        while true {
            do {
                return try body()
            } catch let error as HTTPError {
                if progress() > reached { failures = 0 }
                reached = progress()
                failures += 1
                let wait = try wait(after: error, failures: failures, subject, hub)
                onWait(wait, Self.words(error, hub))
                try cancellation.sleep(seconds: wait)
            }
        }
    }

    /// - Throws: what the error comes to where no other try is worth it.
    private func wait(
        after error: HTTPError, failures: Int, _ subject: String, _ hub: String
    ) throws -> Double {
        let backoff = min(pause * Double(1 << min(failures - 1, 10)), 60)
        switch error {
        case .refused(let why): throw HubError(subject, .unreachable(why))
        case .dropped(let why):
            guard failures < attemptsUnanswered else {
                throw HubError(subject, .unreachable("\(why) (\(failures) times in a row)"))
            }
            return backoff
        case .status(let head, _):
            guard [408, 425, 429].contains(head.status) || head.status >= 500 else { throw error }
            guard failures < attempts else {
                throw HubError(
                    subject, .status(head.status, hub: hub, attempts: failures))
            }
            let asked = head.fields["retry-after"].flatMap { Double($0) } ?? 0
            return max(backoff, min(max(asked, 0), 300))
        }
    }

    private static func words(_ error: HTTPError, _ hub: String) -> String {
        switch error {
        case .dropped(let why), .refused(let why): why
        case .status(let head, _): "\(hub) answered with status \(head.status)"
        }
    }
}
