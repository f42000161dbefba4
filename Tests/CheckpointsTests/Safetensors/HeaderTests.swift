import Foundation
import Checkpoints
import TestSupport
import Testing

/// A tensor file from a header's text and some bytes of data.
private func file(_ header: String, data: Int = 0, length: UInt64? = nil) throws -> SafetensorsFile
{
    let folder = try TemporaryFolder()
    let size = length ?? UInt64(header.utf8.count)
    var bytes = withUnsafeBytes(of: size.littleEndian) { Array($0) }
    bytes += Array(header.utf8) + [UInt8](repeating: 7, count: data)
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file("x.safetensors")))
    return try SafetensorsFile(path: folder.file("x.safetensors"))
}

/// The one line about a file that is refused.
private func complaint(_ header: String, data: Int = 0, length: UInt64? = nil) throws -> String {
    let error = try #require(throws: SafetensorsError.self) {
        try file(header, data: data, length: length)
    }
    #expect(!error.description.contains("\n"))
    #expect(error.description.contains("x.safetensors: "))
    return String(error.description.split(separator: "x.safetensors: ").last ?? "")
}

@Suite("Headers of tensor files")
struct HeaderTests {
    @Test func areReadWithMetadataAndEmptyTensors() throws {
        let file = try file(
            #"""
            {"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
            "none":{"dtype":"F32","shape":[0,5],"data_offsets":[4,4]},
            "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   
            """#, data: 16)
        #expect(file.metadata == ["format": "pt"])
        #expect(file.tensors.map(\.name) == ["a", "none", "b"])
        #expect(file["b"]?.shape == [2, 3] && file["b"]?.elementCount == 6)
        #expect(try file.bytes(of: #require(file["b"])).count == 12)
        #expect(file["c"] == nil)
    }

    @Test func knowEveryElementType() throws {
        for type in ElementType.allCases {
            let size = type.byteCount * 3
            let file = try file(
                "{\"x\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[3],\"data_offsets\":[0,\(size)]}}",
                data: size)
            #expect(file["x"]?.type == type)
        }
    }

    @Test func mayUseEscapesInNames() throws {
        let file = try file(
            #"{"a\u00e9\"\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: 1)
        #expect(file.tensors.map(\.name) == ["aé\"😀"])
    }

    @Test func thatAreTruncatedAreRefused() throws {
        #expect(try complaint("{}", length: 100).hasPrefix("is truncated: expected at least 108"))
        let folder = try TemporaryFolder()
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder.file("x")))
        let error = try #require(throws: SafetensorsError.self) {
            try SafetensorsFile(path: folder.file("x"))
        }
        #expect(error.reason == .truncated(expected: 8, found: 3))
    }

    @Test func thatAreAbsurdlyLongAreRefusedUnread() throws {
        #expect(try complaint("{}", length: 100_000_001).contains("header of 100000001 bytes"))
        #expect(try complaint("{}", length: .max).contains("at most 100000000 are read"))
    }

    @Test(arguments: [
        "", " {}", "[]", "{", "{}x", #"{"a"}"#, #"{"a":{}}"#, #"{"a":1}"#,
        #"{"a":{"dtype":"U8","shape":[1]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#,
        #"{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}"#,
        #"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        #"{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}"#,
        #"{"__metadata__":{"a":1}}"#, #"{"a\x":1}"#, #"{"\ud800":1}"#,
    ])
    func thatAreMalformedAreRefused(header: String) throws {
        #expect(try complaint(header, data: 1).contains("header"))
    }

    @Test func thatRepeatANameAreRefused() throws {
        let entry = #""a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#
        #expect(try complaint("{\(entry),\(entry)}", data: 1) == "'a' is there twice")
        #expect(
            try complaint(#"{"__metadata__":{"k":"1","k":"2"}}"#)
                == "'__metadata__.k' is there twice")
    }

    @Test func withAnUnknownTypeAreRefused() throws {
        let text = try complaint(#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#, data: 1)
        #expect(text.hasPrefix("'a' has elements of unknown type 'F4'"))
    }

    @Test func whoseShapeAndRangeDisagreeAreRefused() throws {
        #expect(
            try complaint(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: 4)
                == "'a' needs 8 bytes for its shape, has 4")
    }

    @Test func whoseShapeOverflowsAreRefused() throws {
        for shape in ["4294967296,4294967296", "-1", "9223372036854775807,2"] {
            let text = try complaint(
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[0,4]}}", data: 4)
            #expect(text.contains("impossible shape"))
        }
    }

    @Test func whoseRangesAreOutsideOverlapOrLeaveHolesAreRefused() throws {
        func two(_ first: String, _ second: String, data: Int) throws -> String {
            try complaint(
                #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[\#(first)]},"#
                    + #""b":{"dtype":"U8","shape":[4],"data_offsets":[\#(second)]}}"#, data: data)
        }
        #expect(try two("0,4", "2,6", data: 6).hasPrefix("'b' starts at byte 2, expected 4"))
        #expect(try two("0,4", "5,9", data: 9).hasPrefix("'b' starts at byte 5, expected 4"))
        #expect(try two("1,5", "5,9", data: 9).hasPrefix("'a' starts at byte 1, expected 0"))
        #expect(try two("0,4", "8,4", data: 8).hasPrefix("'b' lies at bytes 8 to 4"))
        #expect(try two("-4,0", "0,4", data: 8).hasPrefix("'a' lies at bytes -4 to 0"))
        #expect(try two("0,4", "4,8", data: 6) == "is truncated: expected 8 bytes of data, found 6")
        #expect(try two("0,4", "4,8", data: 9).hasPrefix("has bytes behind its last tensor"))
    }

    /// Damage at any byte gives a file or an error, never a crash, and no tensor outside the file.
    @Test func survivesRandomDamage() throws {
        let folder = try TemporaryFolder()
        let sound = folder.file("sound.safetensors")
        try SafetensorsWriter.write(
            to: sound,
            tensors: (0..<4).map {
                TensorToWrite(
                    name: "layer.\($0)", type: .F32, shape: [2, $0],
                    bytes: [UInt8](repeating: 1, count: 8 * $0))
            }, metadata: ["format": "pt"])
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: sound)))
        var random = SplitMix(state: 1)
        var (accepted, refused) = (0, 0)
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0...random.next(below: 3) {
                damaged[random.next(below: damaged.count)] = UInt8(random.next(below: 256))
            }
            if random.next(below: 4) == 0 { damaged.removeLast(random.next(below: damaged.count)) }
            let path = folder.file("damaged.safetensors")
            try Data(damaged).write(to: URL(fileURLWithPath: path))
            do {
                let file = try SafetensorsFile(path: path)
                for tensor in file.tensors { _ = file.bytes(of: tensor).reduce(0, &+) }
                accepted += 1
            } catch is SafetensorsError {
                refused += 1
            }
        }
        #expect(accepted > 0 && refused > 1000, "\(accepted) accepted, \(refused) refused")
    }
}

/// Small deterministic random numbers.
private struct SplitMix {
    var state: UInt64

    mutating func next(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) % UInt64(limit))
    }
}
