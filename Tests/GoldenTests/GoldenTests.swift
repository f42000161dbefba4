import Testing

/// Everything that is compared with the reference implementations. The suites run one after the
/// other, since each thread that calls libtorch would start workers of its own.
@Suite("Reference", .serialized)
enum GoldenTests {}
