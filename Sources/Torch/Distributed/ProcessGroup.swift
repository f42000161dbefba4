internal import CTorch
import Foundation

/// The processes that train one model together, seen from one of them.
///
/// All of them call the same methods in the same order, with tensors of equal types and sizes. A
/// group of one, as there is without a launcher, returns at once from everything. Tensors on the
/// CPU travel through Gloo, those on a GPU through NCCL, which is looked for when the group is made.
public final class ProcessGroup {
    /// The number of this process, from 0.
    public let rank: Int
    /// The number of all processes.
    public let size: Int
    /// The number of this process among those of its machine.
    public let localRank: Int
    /// How long one operation may wait for other processes.
    public let timeout: Duration
    /// NULL in a group of one.
    let raw: ct_group?

    /// Waits until all processes are there.
    ///
    /// - Parameters:
    ///   - environment: nil for a process on its own.
    ///   - device: where the tensors that are exchanged will be, with its index; tensors on the CPU
    ///     can be exchanged in any case.
    ///   - timeout: how long each operation, as this one, may wait for other processes.
    /// - Throws: `DistributedError` when they do not come, `DeviceError` for a device that no group
    ///   can use.
    public init(
        _ environment: DistributedEnvironment?, device: Device = .cpu,
        timeout: Duration = .seconds(600)
    ) throws {
        rank = environment?.rank ?? 0
        size = environment?.size ?? 1
        localRank = environment?.localRank ?? 0
        self.timeout = timeout
        guard let environment, environment.size > 1 else {
            raw = nil
            return
        }
        raw = try Self.meet(environment, device, timeout)
    }

    deinit {
        if let raw { ct_group_release(raw) }
    }

    /// Whether this is the process that writes files and tells of progress.
    public var isFirst: Bool { rank == 0 }

    /// Whether processes can work together on this system; on macOS they cannot.
    public static var isAvailable: Bool { ct_group_available() }

    /// Waits until all processes have come here.
    ///
    /// It is also the last that processes do together: who ends earlier may take away what others
    /// have not read yet.
    public func barrier() throws { try perform("barrier") { ct_group_barrier($0) } }

    /// Runs one operation of the C border, unless there is nobody to work with.
    func perform(_ name: String, _ call: (ct_group) -> ct_status) throws {
        guard let raw else { return }
        try Self.naming(name, rank, size, timeout) {
            try withExtendedLifetime(self) { try check(call(raw)) }
        }
    }
}

extension ProcessGroup {
    private static func meet(
        _ environment: DistributedEnvironment, _ device: Device, _ timeout: Duration
    ) throws -> ct_group {
        let library = try device.kind == .cpu ? nil : nccl(for: device)
        var out: ct_group?
        try naming("meeting at \(environment.host):\(environment.port)", environment, timeout) {
            try environment.host.withCString { host in
                try "flux2/\(environment.attempt)".withCString { prefix in
                    var meeting = ct_meeting(
                        host: host, port: Int32(environment.port), rank: Int32(environment.rank),
                        size: Int32(environment.size), serves: environment.serves, prefix: prefix,
                        timeout: timeout.milliseconds)
                    try check(ct_group_create(&meeting, device.raw, library, &out))
                }
            }
        }
        guard let out else { preconditionFailure("a successful call made no group") }
        return out
    }

    /// The library for GPUs; it is found beside libtorch's other libraries or where the system looks.
    private static func nccl(for device: Device) throws -> String {
        guard device.kind == .cuda else {
            throw DeviceError(device: device, why: "groups of processes have no way to it")
        }
        try device.prepare()
        let beside = Runtime.libraryFolder.map { $0 + "/../../nvidia/nccl/lib/libnccl.so.2" }
        if let beside, access(beside, R_OK) == 0 { return beside }
        return "libnccl.so.2"
    }

    private static func naming<R>(
        _ name: String, _ environment: DistributedEnvironment, _ timeout: Duration,
        _ body: () throws -> R
    ) throws -> R {
        try naming(name, environment.rank, environment.size, timeout, body)
    }

    /// Turns libtorch's words about sockets into an error that tells what was being done, and where.
    private static func naming<R>(
        _ name: String, _ rank: Int, _ size: Int, _ timeout: Duration, _ body: () throws -> R
    ) throws -> R {
        do {
            return try body()
        } catch let error as TorchError where error.reason == .failed && !isMisuse(error) {
            throw DistributedError.operation(
                name: name, rank: rank, size: size, timeout: timeout, why: words(error.message))
        }
    }

    /// Whether tensors were refused before any other process was asked.
    private static func isMisuse(_ error: TorchError) -> Bool {
        error.message.contains("ProcessGroupGloo::")
    }

    /// The first line, without the place in libtorch's sources before it.
    private static func words(_ message: String) -> String {
        let line = message.prefix { $0 != "\n" }
        guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return String(line) }
        return line[line.index(after: end)...].trimmingCharacters(in: .whitespaces)
    }
}

extension Duration {
    /// At least one, since libtorch takes none for no limit.
    fileprivate var milliseconds: Int64 {
        max(1, components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
