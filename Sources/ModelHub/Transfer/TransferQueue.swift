internal import Synchronization

/// Files on their way, in order; threads take parts of the first that has some left.
final class TransferQueue: Sendable {
    private let transfers: [FileTransfer]
    private let received: Atomic<Int>
    private let onEvent: @Sendable (DownloadEvent) -> Void

    init(
        _ transfers: [FileTransfer], present: Int,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) {
        self.transfers = transfers
        self.onEvent = onEvent
        received = Atomic(present)
    }

    /// Works until nothing is left that others do not do already.
    ///
    /// - Throws: what ends the whole download.
    func work(_ settings: HubSettings, _ api: any HubAPI, _ cancellation: Cancellation) throws {
        let fetch = PartFetch(
            session: try HTTPSession(settings, cancellation),
            retryPolicy: RetryPolicy(settings, cancellation) { [onEvent] in
                onEvent(.waiting(seconds: $0, because: $1))
            },
            hub: api.hub, credentials: try api.credentials()
        ) { [self] count in
            let sum = received.add(count, ordering: .relaxed).newValue
            onEvent(.received(bytes: sum))
        }
        while let (transfer, work) = try next() {
            guard !cancellation.isCancelled else { throw CancellationError() }
            switch work {
            case .fetch(let part):
                defer { transfer.endPart() }
                do {
                    try fetch(part, of: transfer)
                } catch let error as HTTPError {
                    let snapshot = transfer.snapshot
                    throw api.explain(
                        error, snapshot.repository, revision: snapshot.revision,
                        file: transfer.file.path)
                }
            case .publish:
                if try transfer.publish(cancellation) {
                    onEvent(.finished(path: transfer.places.path))
                } else {
                    received.subtract(transfer.file.size, ordering: .relaxed)
                    onEvent(.damaged(path: transfer.places.path))
                }
            }
        }
    }

    private func next() throws -> (FileTransfer, FileTransfer.Work)? {
        for transfer in transfers {
            if let work = try transfer.takeWork() { return (transfer, work) }
        }
        return nil
    }
}

extension RetryPolicy {
    init(
        _ settings: HubSettings, _ cancellation: Cancellation, attemptsUnanswered: Int? = nil,
        onWait: @escaping (Double, String) -> Void
    ) {
        self.init(
            attempts: settings.attempts,
            attemptsUnanswered: min(attemptsUnanswered ?? .max, settings.attempts),
            pause: settings.pause, cancellation: cancellation, onWait: onWait)
    }
}
