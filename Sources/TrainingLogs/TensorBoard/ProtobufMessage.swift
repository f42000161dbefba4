/// A message in the wire format of Protocol Buffers, field by field.
struct ProtobufMessage {
    private(set) var bytes: [UInt8] = []

    mutating func integer(_ value: Int, field: Int) {
        tag(field, kind: 0)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func double(_ value: Double, field: Int) {
        tag(field, kind: 1)
        bytes += value.bitPattern.littleEndianBytes
    }

    mutating func float(_ value: Float, field: Int) {
        tag(field, kind: 5)
        bytes += value.bitPattern.littleEndianBytes
    }

    mutating func content(_ content: some Collection<UInt8>, field: Int) {
        tag(field, kind: 2)
        varint(UInt64(content.count))
        bytes += content
    }

    /// A message inside.
    mutating func message(field: Int, _ body: (inout ProtobufMessage) -> Void) {
        var inner = ProtobufMessage()
        body(&inner)
        content(inner.bytes, field: field)
    }

    private mutating func tag(_ field: Int, kind: UInt64) {
        varint(UInt64(field) << 3 | kind)
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}
