import ArgumentParser
import Foundation
import Synchronization

/// Paths that are not UTF-8, which no `String` holds.
///
/// Such an argument becomes a path that leads to what the system has under the name: a descriptor's in
/// `/proc`. Where it is shown, the name is, with bytes that are no text as `\xff`.
enum ForeignPath {
    /// By path in `/proc`, what is shown in its place.
    private static let names = Mutex<[String: String]>([:])

    /// The program's arguments without its name.
    ///
    /// - Throws: `ValidationError` for one that is not UTF-8 and leads nowhere.
    static func arguments() throws -> [String] {
        let count = Int(CommandLine.argc)
        return try (1..<max(1, count)).compactMap { CommandLine.unsafeArgv[$0] }.map { text in
            let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))
            return try String(validating: bytes, as: UTF8.self) ?? path(Array(bytes))
        }
    }

    /// Text with names in the place of paths that stand for them.
    static func named(in text: String) -> String {
        names.withLock { names in
            names.reduce(text) { $0.replacing($1.key, with: $1.value) }
        }
    }

    /// The name of an option, a path and a weight are told apart as the parser does it.
    private static func path(_ argument: [UInt8]) throws -> String {
        var (option, value) = ("", argument[...])
        if argument.starts(with: "--".utf8), let equals = argument.firstIndex(of: 0x3D) {
            option = shown(argument[...equals])
            value = argument[(equals + 1)...]
        }
        let ends = [value.endIndex] + value.indices.reversed().filter { value[$0] == 0x3A }
        for end in ends {
            if let found = standIn(value[..<end]) { return option + found + shown(value[end...]) }
        }
        // A file that is yet to be written in such a folder.
        if let slash = value.lastIndex(of: 0x2F), let folder = standIn(value[..<slash]),
            let name = String(validating: value[slash...], as: UTF8.self)
        {
            return option + folder + name
        }
        throw ValidationError(
            "'\(shown(argument[...]))' is not UTF-8, and no file or folder has that name; "
                + "texts and names of new files have to be UTF-8")
    }

    private static func standIn(_ path: ArraySlice<UInt8>) -> String? {
        guard String(validating: path, as: UTF8.self) == nil else { return nil }
        #if os(Linux)
            // O_PATH, which Swift does not bring in: only the name is opened, so nothing is waited for.
            let flags: Int32 = 0o10000000
        #else
            let flags = O_RDONLY | O_NONBLOCK
        #endif
        let descriptor = open(path.map(CChar.init(bitPattern:)) + [0], flags)
        guard descriptor >= 0 else { return nil }
        let found = "/proc/self/fd/\(descriptor)"
        names.withLock { $0[found] = shown(path) }
        return found
    }

    /// Text with other bytes spelled out.
    private static func shown(_ bytes: ArraySlice<UInt8>) -> String {
        var (text, rest) = ("", bytes)
        while !rest.isEmpty {
            let valid = (1...min(4, rest.count)).lazy.compactMap { count in
                String(validating: rest.prefix(count), as: UTF8.self).map { ($0, count) }
            }.first
            text += valid?.0 ?? "\\x" + String(rest[rest.startIndex], radix: 16)
            rest = rest.dropFirst(valid?.1 ?? 1)
        }
        return text
    }
}
