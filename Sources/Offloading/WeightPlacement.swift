/// Where the weights of a model are while it computes.
public enum WeightPlacement: Hashable, Sendable {
    /// All on the device; on the CPU in their mapped files.
    case resident
    /// Groups of these names on the device; the others come through slots when they are used.
    case streamed(resident: Set<String>, DeviceBufferSettings)
    /// In their mapped files, of which only the pages of these groups stay in memory; those of the
    /// others come before their use and go after it.
    ///
    /// `bounded` is whether pages that others have read leave this process, too.
    case paged(kept: Set<String>, bounded: Bool)
    /// Groups of these names in their mapped files, the others in two buffers that are read from the
    /// disk past the system's cache; as ``paged(kept:bounded:)`` where files cannot be read so.
    case directIO(kept: Set<String>, bounded: Bool)

    /// How groups come to a device.
    public struct DeviceBufferSettings: Hashable, Sendable {
        /// Groups that are on the device at once, besides residents; at least 2.
        public var slots = 2
        /// Bytes of groups to keep in memory that the device reads by itself.
        public var pinned = 0
        /// Whether what had to be read from the disk leaves memory after its copy.
        public var releases = false
        /// Whether slots are overwritten after their use, so that a use too late shows; for tests.
        public var poisons = false

        /// Two slots, filled from mapped files.
        public init() {}
    }
}

/// A group of weights that are used one right after the other, as the plan sees it.
public struct WeightGroupSize: Hashable, Sendable {
    /// The group's name.
    public var name: String
    /// Its values with their scales, in bytes.
    public var byteCount: Int

    /// Names a group and tells its size.
    public init(name: String, byteCount: Int) {
        self.name = name
        self.byteCount = byteCount
    }
}
