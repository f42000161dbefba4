internal import Imaging

/// The messages of TensorBoard's event files, and the frames that they lie in.
///
/// - Source: `event.proto` and `summary.proto` of TensorBoard, `record_writer` of TensorFlow.
enum EventMessage {
    static func version(at time: Double) -> [UInt8] {
        event(step: 0, time) { $0.content("brain.Event:2".utf8, field: 3) }
    }

    /// What makes readers drop events of this step and of later ones.
    static func sessionStart(step: Int, at time: Double) -> [UInt8] {
        event(step: step, time) { $0.message(field: 7) { $0.integer(1, field: 1) } }
    }

    static func scalars(_ entry: LogEntry) -> [UInt8] {
        summary(entry.step, entry.time) { summary in
            for value in entry.values {
                summary.message(field: 1) {
                    $0.content(value.name.utf8, field: 1)
                    $0.float(Float(value.value), field: 2)
                }
            }
        }
    }

    static func image(_ image: LoggedImage, tag: String) throws -> [UInt8] {
        let png = try image.image.encoded(as: .png)
        return summary(image.step, image.time) {
            $0.message(field: 1) {
                $0.content(tag.utf8, field: 1)
                $0.message(field: 4) {
                    $0.integer(image.image.height, field: 1)
                    $0.integer(image.image.width, field: 2)
                    $0.integer(3, field: 3)
                    $0.content(png, field: 4)
                }
            }
        }
    }

    /// Length, its sum, content, its sum.
    static func frame(_ message: [UInt8]) -> [UInt8] {
        let length = UInt64(message.count).littleEndianBytes
        return length + CRC32C.masked(length).littleEndianBytes
            + message + CRC32C.masked(message).littleEndianBytes
    }

    private static func summary(
        _ step: Int, _ time: Double, _ body: (inout ProtobufMessage) -> Void
    ) -> [UInt8] {
        event(step: step, time) { $0.message(field: 5, body) }
    }

    private static func event(
        step: Int, _ time: Double, _ body: (inout ProtobufMessage) -> Void
    ) -> [UInt8] {
        var event = ProtobufMessage()
        event.double(time, field: 1)
        event.integer(step, field: 2)
        body(&event)
        return event.bytes
    }
}
