import Checkpoints
import TestSupport
import Testing

@Suite("Damaged GGUF files")
struct RefusalTests {
    private func sample() -> FileBuilder {
        var builder = FileBuilder()
        builder.add("general.architecture", type: 8, FileBuilder.text("flux"))
        builder.add("w", [32, 2], type: 8)
        builder.dataSize = 68
        return builder
    }

    @Test func ofOtherFormatsAreRefused() throws {
        var builder = sample()
        builder.magic = Array("GGML".utf8)
        #expect(try builder.complaint() == "does not begin as GGUF files do")
        let error = try #require(throws: GGUFError.self) { try FileBuilder.open([]) }
        #expect(error.reason == .notGGUF)
    }

    @Test func ofOtherVersionsAreRefused() throws {
        var builder = sample()
        builder.version = 1
        #expect(try builder.complaint().contains("of version 1; versions 2 and 3 are read"))
        builder.version = UInt32(3).byteSwapped
        #expect(try builder.complaint().contains("big-endian"))
    }

    /// Whatever is cut off, an error says so and nothing is read behind the end.
    @Test func thatEndTooEarlyAreRefusedWhereverTheyEnd() throws {
        let bytes = sample().file
        for size in 0..<bytes.count {
            #expect(throws: GGUFError.self) { try FileBuilder.open(Array(bytes.prefix(size))) }
        }
        _ = try FileBuilder.open(bytes)
    }

    /// No byte of the header, whatever it becomes, stops the program.
    @Test func withAnyByteChangedAreReadOrRefused() throws {
        let bytes = sample().file
        for place in 0..<sample().header.count {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var damaged = bytes
                damaged[place] = value
                do { _ = try FileBuilder.open(damaged) } catch is GGUFError {}
            }
        }
    }

    @Test func announcingMoreThanTheyHoldAreRefused() throws {
        var builder = sample()
        builder.tensorCount = 1 << 60
        #expect(try builder.complaint().hasPrefix("announces 1152921504606846976 tensors"))
        builder = sample()
        builder.entryCount = .max
        #expect(try builder.complaint().contains("entries of metadata"))
        builder = sample()
        let count = FileBuilder.bytes(UInt64(1) << 61)
        builder.add("ids", type: 9, FileBuilder.bytes(UInt32(10)) + count)
        #expect(try builder.complaint().contains("elements of 'ids'"))
    }

    @Test func withMetadataThatMeanNothingAreRefused() throws {
        var builder = sample()
        builder.add("odd", type: 13, [0])
        #expect(
            try builder.complaint()
                == "'odd' has a damaged header: expected a type from 0 to 12, found 13")
        builder = sample()
        builder.add("yes", type: 7, [2])
        #expect(try builder.complaint().contains("'yes' has a damaged header: expected 0 or 1"))
        builder = sample()
        builder.add("text", type: 8, FileBuilder.bytes(UInt64(1)) + [0xFF])
        #expect(try builder.complaint().contains("the text of 'text' in UTF-8"))
        builder = sample()
        builder.add("general.architecture", type: 0, [0])
        #expect(try builder.complaint() == "'general.architecture' is there twice")
        builder = sample()
        builder.add("general.alignment", type: 4, [12, 0, 0, 0])
        #expect(try builder.complaint().contains("expected a power of two"))
    }

    @Test func withArraysInArraysWithoutEndAreRefused() throws {
        var builder = FileBuilder()
        let level = FileBuilder.bytes(UInt32(9)) + FileBuilder.bytes(UInt64(1))
        builder.add("deep", type: 9, (0..<10_000).flatMap { _ in level })
        #expect(try builder.complaint().contains("arrays in at most 8 levels"))
    }

    @Test func withTypesThatAreNotReadNameTensorAndType() throws {
        var builder = sample()
        builder.add("blk.0.x", [256], type: 23)
        #expect(
            try builder.complaint()
                == "'blk.0.x' is stored as IQ4_XS; known are "
                + "F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q5_K, Q6_K")
        builder = sample()
        builder.add("x", [1], type: 99)
        #expect(try builder.complaint().hasPrefix("'x' is stored as 99"))
    }

    @Test func withRowsOfBrokenBlocksAreRefused() throws {
        var builder = sample()
        builder.add("x", [48, 2], type: 8)
        #expect(
            try builder.complaint()
                == "'x' has rows of 48 values, Q8_0 needs multiples of 32")
    }

    @Test func withTensorsInImpossiblePlacesAreRefused() throws {
        func complaint(_ lengths: [UInt64], offset: UInt64) throws -> String {
            var builder = sample()
            builder.add("x", lengths, offset: offset)
            return try builder.complaint()
        }
        #expect(try complaint([1], offset: 33).contains("expected a multiple of 32"))
        #expect(try complaint([1], offset: 64) == "'x' lies on bytes of 'w', too")
        #expect(try complaint([1], offset: 96).contains("is it truncated?"))
        #expect(try complaint([1], offset: .max - 31).contains("is it truncated?"))
        #expect(try complaint([.max, .max, 3], offset: 0).contains("impossible shape"))
        #expect(try complaint([4, 1 << 62, 0], offset: 0).contains("impossible shape"))
        #expect(try complaint([1, 1, 1, 1, 1], offset: 0).contains("at most 4 dimensions"))
    }

    @Test func withTwoTensorsOfOneNameAreRefused() throws {
        var builder = sample()
        builder.add("w", [0])
        #expect(try builder.complaint() == "'w' is there twice")
        builder = sample()
        builder.add("", [0])
        #expect(try builder.complaint().contains("a tensor's name of at most 65535 bytes"))
    }
}
