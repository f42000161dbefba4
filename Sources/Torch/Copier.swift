internal import CTorch

#if canImport(Glibc)
    import Glibc
#endif

/// Copies memory from the host to slots on a device while the device computes.
///
/// On the device, filling and using a slot exclude each other; on the host nobody waits. One thread
/// may load while another computes.
public final class Copier: Sendable {
    nonisolated(unsafe) private let raw: ct_copier

    /// - Parameter device: any but the CPU.
    public init(device: Device, slots: Int) throws {
        var out: ct_copier?
        try check(ct_copier_create(device.raw, Int32(slots), &out))
        guard let out else { preconditionFailure("a successful call made no copier") }
        raw = out
    }

    deinit { ct_copier_release(raw) }

    /// Starts to copy; pinned memory has to stay as it is until the slot is filled.
    public func copy(
        from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
    ) throws {
        try check(ct_copier_copy(raw, target, source, count))
    }

    /// Has copies that follow wait until all work that used the slot is done.
    public func willFill(_ slot: Int) throws { try check(ct_copier_will_fill(raw, Int32(slot))) }
    /// Ends the copies into a slot.
    public func didFill(_ slot: Int) throws { try check(ct_copier_did_fill(raw, Int32(slot))) }
    /// Has work that follows on this thread's stream wait until the slot is filled.
    public func willUse(_ slot: Int) throws { try check(ct_copier_will_use(raw, Int32(slot))) }
    /// Ends the work that uses a slot.
    public func didUse(_ slot: Int) throws { try check(ct_copier_did_use(raw, Int32(slot))) }
    /// Waits until the last copies into a slot are done.
    public func settle(_ slot: Int) throws { try check(ct_copier_settle(raw, Int32(slot))) }
}

/// Memory of the host for copies to a device: pinned where that is possible.
public final class HostSlab: Sendable {
    /// The bytes, at the start of a page.
    nonisolated(unsafe) public let bytes: UnsafeMutableRawBufferPointer
    /// Whether a device can read it by itself.
    public let isPinned: Bool

    private static let alignment = 2 << 20
    /// `MADV_HUGEPAGE`, which Swift does not bring in.
    private static let hugePages: Int32 = 14

    /// - Parameter pinned: whether to try to pin it.
    public init(byteCount: Int, pinned: Bool) {
        bytes = .allocate(byteCount: max(byteCount, 1), alignment: Self.alignment)
        #if os(Linux)
            // Fewer, larger pages are cheaper to read into and to look up.
            madvise(bytes.baseAddress, bytes.count, Self.hugePages)
        #endif
        isPinned = pinned && ct_pin(bytes.baseAddress, bytes.count)
    }

    deinit {
        if isPinned { ct_unpin(bytes.baseAddress) }
        bytes.deallocate()
    }
}

extension Tensor {
    /// The bytes of a slab, which lives as long as the tensor.
    public static func showing(_ slab: HostSlab) throws -> Tensor {
        let owner = Unmanaged.passRetained(slab).toOpaque()
        var count = Int64(slab.bytes.count)
        return try make {
            ct_from_memory(
                slab.bytes.baseAddress, &count, 1, CT_UINT8,
                { if let slab = $0 { Unmanaged<HostSlab>.fromOpaque(slab).release() } }, owner, $0)
        }
    }

    /// Where the elements begin, on whatever device; writing there is up to those who own it.
    public func address() throws -> UnsafeMutableRawPointer {
        try withExtendedLifetime(self) {
            var pointer: UnsafeMutableRawPointer?
            try check(ct_tensor_data(raw, &pointer))
            guard let pointer else { preconditionFailure("\(self) has no memory") }
            return pointer
        }
    }
}
