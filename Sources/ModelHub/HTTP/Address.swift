internal import CHub

/// Addresses, as libcurl understands them.
enum Address {
    /// Scheme, host and port; two addresses that share them are the same server.
    static func origin(_ address: String) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard ch_origin(address, &text) == 1, let text else { return nil }
        defer { ch_free(text) }
        return String(cString: text)
    }

    /// The host and port of an origin.
    static func host(_ origin: String) -> String {
        String(origin.drop { $0 != "/" }.dropFirst(2))
    }

    /// An address for messages, without a name and password that it may hold.
    static func shown(_ address: String) -> String {
        guard let match = address.wholeMatch(of: #/(\w+:\/\/)[^\/]*@(.*)/#) else { return address }
        return String(match.1 + match.2)
    }

    /// Where a redirect leads, which may be told relative to where it was found.
    static func resolve(_ address: String, at base: String) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard ch_resolve(base, address, &text) == 1, let text else { return nil }
        defer { ch_free(text) }
        return String(cString: text)
    }

    static func isSecure(_ address: String) -> Bool { address.lowercased().hasPrefix("https://") }

    /// Whether it is this machine itself, where nobody listens in.
    static func isLoopback(_ address: String) -> Bool {
        guard let host = origin(address)?.split(separator: "/").last else { return false }
        return host.hasPrefix("127.") || host.hasPrefix("localhost:") || host.hasPrefix("[::1]:")
    }

    /// A path or a name as a part of an address.
    static func escaped(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF")
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "/") where keepingSlashes: result += "/"
            default: result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return result
    }
}
