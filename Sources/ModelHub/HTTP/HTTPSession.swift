internal import CHub
internal import Foundation

/// The beginning of a server's answer.
struct ResponseHead {
    var status = 0
    /// Scheme, host and port of the server that sent it.
    var origin: String?
    /// By names in lower case.
    var fields: [String: String] = [:]

    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }

    /// The bytes of the whole file that a part was taken from.
    var wholeSize: Int? {
        guard let range = fields["content-range"], let size = range.split(separator: "/").last
        else { return nil }
        return Int(size)
    }

    var length: Int? { fields["content-length"].flatMap { Int($0) } }
}

/// Why a request failed, as far as it matters what to do next.
enum HTTPError: Error {
    /// The connection ended early; worth another try.
    case dropped(String)
    /// Certificates or addresses that another try does not mend.
    case refused(String)
    /// An answer that is no success, with the start of what it says.
    case status(ResponseHead, body: [UInt8])
}

/// A connection that asks for one address after the other; of one thread.
final class HTTPSession {
    /// Headers that only one server may see.
    struct Credentials {
        var origin: String
        var headers: [String]
    }

    private let raw: OpaquePointer
    private let settings: HubSettings
    private let cancellation: Cancellation

    init(_ settings: HubSettings, _ cancellation: Cancellation) throws {
        guard let raw = ch_open() else { throw HTTPError.refused("libcurl cannot be started") }
        self.raw = raw
        self.settings = settings
        self.cancellation = cancellation
    }

    deinit { ch_close(raw) }

    /// Fetches an address and follows redirects, from secure places to secure ones only.
    ///
    /// - Parameters:
    ///   - range: the bytes wanted, if not all.
    ///   - onHead: sees the head of the last answer before its body.
    ///   - onBody: takes the body of a success.
    /// - Throws: `HTTPError`, `HubError` for a redirect that leads astray, `CancellationError`, or
    ///   what the closures throw.
    func get(
        _ address: String, credentials: Credentials?, range: Range<Int>? = nil,
        onHead: @escaping (ResponseHead) throws -> Void = { _ in },
        onBody: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var place = address
        for _ in 0..<10 {
            var headers: [String] = []
            if let range {
                headers.append("Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
            }
            if let credentials, credentials.origin == Address.origin(place) {
                headers += credentials.headers
            }
            let transfer = HTTPTransfer(Address.origin(place), cancellation, onHead, onBody)
            let head = try fetch(place, headers, transfer)
            guard head.isRedirect else { return }
            place = try target(of: head, at: place)
        }
        throw HubError(Self.host(address), .badRedirect("more than 10 other places in turn"))
    }

    private func target(of head: ResponseHead, at place: String) throws -> String {
        guard let location = head.fields["location"],
            let next = Address.resolve(location, at: place)
        else { throw HubError(Self.host(place), .badRedirect("nowhere")) }
        guard Address.isSecure(next) || !Address.isSecure(place) else {
            throw HubError(
                Self.host(place), .badRedirect("\(Self.host(next)) without encryption"))
        }
        return next
    }

    /// The server's name, without what an address may carry of secrets.
    private static func host(_ address: String) -> String {
        Address.origin(address).map(Address.host) ?? "the server"
    }

    /// One request and its answer.
    private func fetch(
        _ address: String, _ headers: [String], _ transfer: HTTPTransfer
    ) throws -> ResponseHead {
        var message = [CChar](repeating: 0, count: Int(CH_MESSAGE_SIZE))
        var status = 0
        var failure = CH_NONE
        let copies = headers.map { strdup($0) }
        defer { copies.forEach { free($0) } }
        let done = copies.map { UnsafePointer($0) }.withUnsafeBufferPointer { lines in
            address.withCString { url in
                "flux2".withCString { agent in
                    withOptionalCString(settings.authorities) { authorities in
                        var request = transfer.request
                        request.url = url
                        request.headers = lines.baseAddress
                        request.header_count = lines.count
                        request.ca_file = authorities
                        request.user_agent = agent
                        request.allows_plain_http = Address.isSecure(address) ? 0 : 1
                        request.connect_seconds = settings.patience
                        request.stall_seconds = settings.patience
                        return ch_fetch(raw, &request, &status, &failure, &message)
                    }
                }
            }
        }
        try transfer.finish()
        if done == 1 { return try transfer.success() }
        let host = Self.host(address)
        let bytes = message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        let text = "\(host): \(String(decoding: bytes, as: UTF8.self))"
        throw failure == CH_REFUSED ? HTTPError.refused(text) : HTTPError.dropped(text)
    }
}

private func withOptionalCString<R>(
    _ text: String?, _ body: (UnsafePointer<CChar>?) -> R
) -> R {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}

/// What comes back while a request runs; libcurl calls into it.
private final class HTTPTransfer {
    private var head: ResponseHead
    private var problem: [UInt8] = []
    private var error: (any Error)?
    private var headIsShown = false
    private let cancellation: Cancellation
    private let onHead: (ResponseHead) throws -> Void
    private let onBody: (UnsafeRawBufferPointer) throws -> Void

    init(
        _ origin: String?, _ cancellation: Cancellation,
        _ onHead: @escaping (ResponseHead) throws -> Void,
        _ onBody: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) {
        head = ResponseHead(origin: origin)
        self.cancellation = cancellation
        self.onHead = onHead
        self.onBody = onBody
    }

    var request: ch_request {
        var request = ch_request()
        request.context = Unmanaged.passUnretained(self).toOpaque()
        request.on_line = { context, line, size in
            guard let context, let line else { return }
            let bytes = UnsafeRawBufferPointer(start: line, count: size)
            transfer(context).take(line: String(decoding: bytes, as: UTF8.self))
        }
        request.on_body = { context, bytes, size in
            guard let context, let bytes else { return 0 }
            return transfer(context).take(UnsafeRawBufferPointer(start: bytes, count: size))
        }
        request.goes_on = { context in
            guard let context else { return 0 }
            return transfer(context).cancellation.isCancelled ? 0 : 1
        }
        return request
    }

    private func take(line: String) {
        if line.hasPrefix("HTTP/") {
            // A proxy's answer, or one that announces another, is replaced by the next.
            let status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            head = ResponseHead(status: status ?? 0, origin: head.origin)
        } else if let colon = line.firstIndex(of: ":") {
            let name = line[..<colon].lowercased()
            head.fields[name] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard (200..<300).contains(head.status) else {
            problem += bytes.prefix(max(0, 4096 - problem.count))
            return 1
        }
        do {
            try showHead()
            try onBody(bytes)
            return 1
        } catch {
            self.error = error
            return 0
        }
    }

    private func showHead() throws {
        guard !headIsShown else { return }
        headIsShown = true
        try onHead(head)
    }

    /// Ends the exchange with what ended it from this side, if something did.
    func finish() throws {
        if let error { throw error }
        if cancellation.isCancelled { throw CancellationError() }
    }

    func success() throws -> ResponseHead {
        if head.isRedirect { return head }
        guard (200..<300).contains(head.status) else {
            throw HTTPError.status(head, body: problem)
        }
        try showHead()
        return head
    }
}

private func transfer(_ context: UnsafeMutableRawPointer) -> HTTPTransfer {
    Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
}
