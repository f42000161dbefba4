import Foundation

/// What a launcher tells a process about itself and the others, in torchrun's variables.
public struct DistributedEnvironment: Hashable, Sendable {
    /// The number of this process, from 0.
    public var rank: Int
    /// The number of all processes.
    public var size: Int
    /// The number of this process among those of its machine, which is also that of its GPU.
    public var localRank: Int
    /// The machine on which rank 0 runs.
    public var host: String
    /// The port on that machine where processes meet.
    public var port: Int
    /// Whether this process answers at that port: rank 0, unless torchrun itself does.
    public var serves: Bool
    /// Counts restarts, each of which meets anew at the same place.
    public var attempt: Int

    /// Describes a process among others.
    public init(
        rank: Int, size: Int, localRank: Int? = nil, host: String = "127.0.0.1", port: Int,
        serves: Bool? = nil, attempt: Int = 0
    ) {
        self.rank = rank
        self.size = size
        self.localRank = localRank ?? rank
        self.host = host
        self.port = port
        self.serves = serves ?? (rank == 0)
        self.attempt = attempt
    }

    /// Reads `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR` and `MASTER_PORT`.
    ///
    /// - Parameter given: the variables; those of this process when nil.
    /// - Returns: nil where neither `RANK` nor `WORLD_SIZE` is set: a process on its own.
    /// - Throws: `DistributedError` that names the variable that is missing or contradicts others.
    public static func read(
        _ given: [String: String]? = nil
    ) throws -> DistributedEnvironment? {
        let variables = given ?? ProcessInfo.processInfo.environment
        guard variables["RANK"] != nil || variables["WORLD_SIZE"] != nil else { return nil }
        let reader = Variables(all: variables)
        let size = try reader.number("WORLD_SIZE", in: 1...65536)
        let rank = try reader.number("RANK", in: 0...size - 1, because: "WORLD_SIZE is \(size)")
        let local = try reader.localRank(rank: rank, size: size)
        let agentServes = variables["TORCHELASTIC_USE_AGENT_STORE"] == "True"
        let restarts = variables["TORCHELASTIC_RESTART_COUNT"].flatMap { Int($0) }
        return try DistributedEnvironment(
            rank: rank, size: size, localRank: local, host: reader.text("MASTER_ADDR"),
            port: reader.number("MASTER_PORT", in: 1...65535),
            serves: rank == 0 && !agentServes, attempt: restarts ?? 0)
    }

    /// The variables that tell a process what this describes, besides those that launchers add.
    public var variables: [String: String] {
        [
            "RANK": "\(rank)", "WORLD_SIZE": "\(size)", "LOCAL_RANK": "\(localRank)",
            "MASTER_ADDR": host, "MASTER_PORT": "\(port)",
        ]
    }
}

/// Variables that have to be there, and to be right.
private struct Variables {
    let all: [String: String]

    func text(_ name: String) throws -> String {
        guard let value = all[name], !value.isEmpty else {
            throw DistributedError.environment(variable: name, why: "is not set, unlike others")
        }
        return value
    }

    func number(_ name: String, in range: ClosedRange<Int>, because: String? = nil) throws -> Int {
        let value = try text(name)
        guard let number = Int(value), range.contains(number) else {
            let reason = because.map { " as \($0)" } ?? ""
            throw DistributedError.environment(
                variable: name,
                why: "expected \(range.lowerBound) to \(range.upperBound)\(reason), "
                    + "found '\(value)'")
        }
        return number
    }

    func localRank(rank: Int, size: Int) throws -> Int {
        guard all["LOCAL_WORLD_SIZE"] != nil else {
            return try number("LOCAL_RANK", in: 0...rank, because: "RANK is \(rank)")
        }
        let count = try number("LOCAL_WORLD_SIZE", in: 1...size, because: "WORLD_SIZE is \(size)")
        return try number(
            "LOCAL_RANK", in: 0...min(rank, count - 1),
            because: "RANK is \(rank) and LOCAL_WORLD_SIZE \(count)")
    }
}
