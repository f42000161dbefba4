@testable import TrainingLogs
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("TensorBoard's files")
struct TensorBoardTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// - Source: RFC 3720, appendix B.4; the last is the check value of catalogs.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 255, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E), (Array((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ] as [([UInt8], UInt32)])
    func sumsAreThoseOfThePublishedVectors(bytes: [UInt8], sum: UInt32) {
        #expect(CRC32C.checksum(bytes) == sum)
    }

    @Test func numbersTakeAsManyBytesAsTheyNeed() {
        var message = ProtobufMessage()
        message.integer(300, field: 1)
        message.integer(-1, field: 2)
        message.float(1, field: 16)
        #expect(
            message.bytes == [0x08, 0xAC, 0x02, 0x10] + [UInt8](repeating: 0xFF, count: 9) + [0x01]
                + [0x85, 0x01, 0, 0, 0x80, 0x3F])
    }

    @Test func eventsHaveTheirFramesAndContent() throws {
        let log = try TensorBoardLog(folder: folder.file("log"))
        try log.write(LogEntry(step: 7, time: 2.5, ["loss": 0.5, "gradient_norm": 3]))
        try log.add(loggedImage(step: 8, "a fox"))
        let events = try EventFile.read(log.path)
        try #require(events.count == 4)
        #expect(events[0].bytes(3) == Array("brain.Event:2".utf8))
        #expect(events[1].message(7)?.integer(1) == 1)
        #expect(events[2].double(1) == 2.5)
        #expect(events[2].integer(2) == 7)
        let values = try #require(events[2].message(5)).messages(1)
        #expect(values.map { $0.bytes(1) } == [Array("loss".utf8), Array("gradient_norm".utf8)])
        #expect(values.map { $0.float(2) } == [0.5, 3])
        let value = try #require(events[3].message(5)?.message(1))
        #expect(value.bytes(1) == Array("samples/a fox".utf8))
        let image = try #require(value.message(4))
        #expect([1, 2, 3].map { image.integer($0) } == [4, 6, 3])
        #expect(try Image(decoding: image.bytes(4) ?? []) == loggedImage(step: 8, "").image)
    }

    @Test func aRunThatIsContinuedBeginsAFileThatComesLater() throws {
        let path = folder.file("log")
        let first = try TensorBoardLog(folder: path)
        let second = try TensorBoardLog(folder: path, continuingAfter: 4)
        let third = try TensorBoardLog(folder: path)
        #expect(Set([first.path, second.path, third.path]).count == 3)
        #expect(
            [first.path, second.path, third.path] == [first.path, second.path, third.path].sorted())
        #expect(try EventFile.read(second.path).last?.integer(2) == 5)
        #expect(try EventFile.read(third.path).count == 1)
    }

    private static let python = ProcessInfo.processInfo.environment["FLUX2_TENSORBOARD"]

    /// `FLUX2_TENSORBOARD` names a Python that has the package `tensorboard`.
    @Test(.enabled(if: python != nil, "needs FLUX2_TENSORBOARD"))
    func tensorboardReadsThemAndDropsWhatARestartedRunDidAgain() throws {
        let path = folder.file("log")
        let first = try TensorBoardLog(folder: path)
        for step in 1...5 { try first.write(LogEntry(step: step, ["loss": 1])) }
        try first.add(loggedImage(step: 2, "a fox, ünder a tree"))
        try first.add(loggedImage(step: 5, "late"))
        try first.close()
        let second = try TensorBoardLog(folder: path, continuingAfter: 3)
        for step in 4...6 { try second.write(LogEntry(step: step, ["loss": 2])) }
        try second.close()
        #expect(
            try reading(path) == """
                loss 1=1.0 2=1.0 3=1.0 4=2.0 5=2.0 6=2.0
                samples/a fox, ünder a tree 2=6x4

                """)
    }

    private func reading(_ path: String) throws -> String {
        let process = Process()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Scripts/read_tensorboard.py").path
        process.executableURL = URL(fileURLWithPath: Self.python ?? "")
        process.arguments = [script, path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: output, as: UTF8.self)
    }

    private func loggedImage(step: Int, _ name: String) -> LoggedImage {
        let image = Image(width: 6, height: 4, red: 200, green: 90, blue: 10)
        return LoggedImage(step: step, name: name, image: image)
    }
}

/// A reader of event files of its own, so that the writer is not asked about itself.
enum EventFile {
    struct Message {
        var fields: [(number: Int, content: [UInt8])] = []

        init(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let tag = try Self.varint(&rest)
                let count =
                    switch tag & 7 {
                    case 1: 8
                    case 5: 4
                    case 2: Int(try Self.varint(&rest))
                    default: 0
                    }
                var content = Array(rest.prefix(count))
                rest = rest.dropFirst(count)
                if tag & 7 == 0 { content = EventFile.bytes(try Self.varint(&rest)) }
                fields.append((Int(tag >> 3), content))
            }
        }

        static func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
            var value: UInt64 = 0
            for shift in stride(from: 0, to: 64, by: 7) {
                let next = rest.popFirst()
                let byte = try #require(next)
                value |= UInt64(byte & 0x7F) << UInt64(shift)
                if byte < 0x80 { return value }
            }
            return value
        }

        func bytes(_ field: Int) -> [UInt8]? { fields.first { $0.number == field }?.content }
        func integer(_ field: Int) -> Int? { bytes(field).map { Int(EventFile.number($0)) } }
        func double(_ field: Int) -> Double? {
            bytes(field).map { Double(bitPattern: EventFile.number($0)) }
        }
        func float(_ field: Int) -> Float? {
            bytes(field).map { Float(bitPattern: UInt32(EventFile.number($0))) }
        }
        func messages(_ field: Int) throws -> [Message] {
            try fields.filter { $0.number == field }.map { try Message($0.content) }
        }
        func message(_ field: Int) -> Message? { try? messages(field).first }
    }

    static func read(_ path: String) throws -> [Message] {
        var rest = Array(try Data(contentsOf: URL(fileURLWithPath: path)))[...]
        var messages: [Message] = []
        while !rest.isEmpty {
            let length = Array(rest.prefix(8))
            let content = Array(rest.dropFirst(12).prefix(Int(number(length))))
            #expect(number(Array(rest.dropFirst(8).prefix(4))) == masked(length))
            rest = rest.dropFirst(12 + content.count)
            #expect(number(Array(rest.prefix(4))) == masked(content))
            rest = rest.dropFirst(4)
            messages.append(try Message(content))
        }
        return messages
    }

    private static func masked(_ bytes: [UInt8]) -> UInt64 {
        let sum = UInt64(CRC32C.checksum(bytes))
        return ((sum >> 15 | sum << 17 & 0xFFFF_FFFF) + 0xA282_EAD8) & 0xFFFF_FFFF
    }

    static func number(_ bytes: [UInt8]) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
