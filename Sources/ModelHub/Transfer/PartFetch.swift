/// Fetches parts of files over one connection.
struct PartFetch {
    let session: HTTPSession
    let retryPolicy: RetryPolicy
    let hub: Hub
    let credentials: HTTPSession.Credentials?
    let onBytes: (Int) -> Void

    /// The server sends the whole file, and another thread takes it already.
    private struct TakenElsewhere: Error {}

    func callAsFunction(_ part: Int, of transfer: FileTransfer) throws {
        let partial = try transfer.open()
        do {
            try retryPolicy(transfer.file.path, hub: hub.title) {
                partial.byteCount
            } _: {
                try attempt(part, of: transfer, into: partial)
            }
        } catch is TakenElsewhere {
        } catch is PartialFile.Superseded {}
    }

    private func attempt(
        _ part: Int, of transfer: FileTransfer, into partial: PartialFile
    ) throws {
        // A stream that broke starts again; there are no parts to go on with.
        if transfer.isStreamed {
            onBytes(-partial.byteCount)
            try partial.restart()
        }
        let sink = Sink(transfer, partial, part, onBytes)
        let range = transfer.isStreamed ? nil : partial.rest(of: part)
        if let range, range.isEmpty { return }
        try session.get(
            transfer.address, credentials: credentials, range: range,
            onHead: { try sink.begin($0, asked: range) }, onBody: { try sink.take($0) })
        try sink.end()
    }

    /// Where the bytes of one answer go.
    private final class Sink {
        private let transfer: FileTransfer
        private let partial: PartialFile
        private let onBytes: (Int) -> Void
        private var parts: [Int]
        private var generation: Int

        init(
            _ transfer: FileTransfer, _ partial: PartialFile, _ part: Int,
            _ onBytes: @escaping (Int) -> Void
        ) {
            self.transfer = transfer
            self.partial = partial
            self.onBytes = onBytes
            parts = [part]
            generation = partial.generation
        }

        /// Checks what the server announces before a byte of it is kept.
        func begin(_ head: ResponseHead, asked range: Range<Int>?) throws {
            let size = transfer.file.size
            let isPart = head.status == 206
            if let sent = isPart ? head.wholeSize : head.length, sent != size {
                throw HubError(transfer.file.path, .sizeDiffers(listed: size, sent: sent))
            }
            if isPart {
                guard let range, head.first == range.lowerBound else {
                    throw HubError(
                        transfer.file.path, .badAnswer("the server sends another part than asked"))
                }
            } else if range != 0..<size {
                let before = partial.byteCount
                if range != nil {
                    guard try transfer.claimStream() else { throw TakenElsewhere() }
                    onBytes(-before)
                    generation = partial.generation
                }
                parts = partial.openParts
            }
        }

        func take(_ bytes: UnsafeRawBufferPointer) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                guard let part = parts.first else {
                    throw HubError(
                        transfer.file.path,
                        .badAnswer("the server sends more bytes than it announced"))
                }
                let room = partial.rest(of: part).count
                let piece = rest.prefix(room)
                try partial.append(
                    UnsafeRawBufferPointer(rebasing: piece), to: part, generation: generation)
                onBytes(piece.count)
                rest = rest.dropFirst(piece.count)
                if piece.count == room { parts.removeFirst() }
            }
        }

        /// A connection that was closed early without a word is a dropped one.
        func end() throws {
            guard parts.isEmpty else { throw HTTPError.dropped("the answer ended early") }
        }
    }
}

extension ResponseHead {
    /// The first byte of the part that is sent: `bytes 64-127/200`.
    fileprivate var first: Int? {
        guard let range = fields["content-range"], let blank = range.firstIndex(of: " ") else {
            return nil
        }
        return Int(range[range.index(after: blank)...].prefix { $0 != "-" })
    }
}
