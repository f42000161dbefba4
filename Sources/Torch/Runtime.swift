internal import CTorch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The engine as a whole: version, threads, devices.
public enum Runtime {
    /// libtorch's version, for example `2.13.0`.
    public static var version: String { String(cString: ct_torch_version()) }

    /// The vector instructions that libtorch's own kernels use: `AVX512`, `AVX2` or `DEFAULT`.
    public static var cpuCapability: String { String(cString: ct_cpu_capability()) }

    /// Whether the processor multiplies bfloat16 natively; without, float32 is faster.
    public static var cpuHasBFloat16: Bool { ct_cpu_has_bfloat16() }

    /// The number of threads that one operation on the CPU uses; at least 1.
    public static var threads: Int {
        get { Int(ct_threads()) }
        set { ct_set_threads(Int32(clamping: max(1, newValue))) }
    }

    /// The folder that libtorch was loaded from.
    public static var libraryFolder: String? { ct_library_folder().map { String(cString: $0) } }

    /// Loads CUDA support, which lives in a library of its own, so that one binary serves machines
    /// with and without a GPU.
    ///
    /// - Returns: nil when CUDA can be used, else why not, in one line.
    public static func loadCUDA() -> String? {
        if ct_has_cuda() { return nil }
        guard let folder = libraryFolder else { return "the folder of libtorch is unknown" }
        let library = folder + "/libtorch_cuda.so"
        guard canLoadCUDA else {
            return "this libtorch has no CUDA (no libtorch_cuda.so in \(folder)); "
                + "`make setup CUDA=1` fetches one that has"
        }
        guard ct_load_cuda(library) == CT_OK else { return String(cString: ct_last_error()) }
        return ct_has_cuda() ? nil : "no CUDA device answers; is the NVIDIA driver loaded?"
    }

    /// Whether this libtorch comes with CUDA, which says nothing about devices.
    public static var canLoadCUDA: Bool {
        libraryFolder.map { access($0 + "/libtorch_cuda.so", R_OK) == 0 } ?? false
    }

    /// The number of CUDA devices, once `loadCUDA()` has succeeded.
    public static var cudaDeviceCount: Int { Int(ct_cuda_device_count()) }

    /// Whether libtorch can use an Apple GPU here.
    public static var hasMPS: Bool { ct_has_mps() }

    /// Waits until everything queued on a device is done.
    public static func synchronize(_ device: Device) throws {
        guard device.kind != .meta else { return }
        try check(ct_synchronize(device.raw))
    }

    /// Gives memory that the device's allocator keeps for later back to the system.
    public static func emptyCache(_ device: Device) throws {
        try check(ct_empty_cache(device.raw))
    }
}

extension Device {
    /// CUDA where it can be used, else the processor.
    ///
    /// - Returns: the device, and why it is not CUDA where one would expect that: the libraries are
    ///   installed and do not work.
    public static func automatic() -> (device: Device, obstacle: String?) {
        guard Runtime.canLoadCUDA else { return (.cpu, nil) }
        guard let why = Runtime.loadCUDA() else { return (Device(.cuda), nil) }
        return (.cpu, why)
    }

    /// Free and total memory, in bytes.
    ///
    /// - Throws: `TorchError` for a device that keeps no such figures.
    public func memory() throws -> (free: Int, total: Int) {
        guard kind != .cpu else { return try HostMemory.figures() }
        var free: UInt64 = 0
        var total: UInt64 = 0
        try check(ct_device_memory(raw, &free, &total))
        return (Int(clamping: free), Int(clamping: total))
    }

    /// The most memory that tensors have held on a GPU since the start, in bytes.
    public func peakMemory() throws -> Int {
        var peak: UInt64 = 0
        try check(ct_device_peak_memory(raw, &peak))
        return Int(clamping: peak)
    }

    /// Checks that the device can be used, loading what it needs.
    ///
    /// - Throws: `DeviceError` that says why it cannot.
    public func prepare() throws {
        switch kind {
        case .cpu, .meta: return
        case .mps:
            guard Runtime.hasMPS else {
                throw DeviceError(device: self, why: "this libtorch has no MPS")
            }
        case .cuda:
            if let why = Runtime.loadCUDA() { throw DeviceError(device: self, why: why) }
            let count = Runtime.cudaDeviceCount
            guard (index ?? 0) < count else {
                throw DeviceError(device: self, why: "there are \(count) CUDA devices, from cuda:0")
            }
        }
    }
}

/// A device that cannot be used.
public struct DeviceError: Error, Hashable, CustomStringConvertible {
    /// The device that was asked for.
    public var device: Device
    /// Why it cannot be used, in one line.
    public var why: String

    public var description: String { "device \(device) cannot be used: \(why)" }
}
