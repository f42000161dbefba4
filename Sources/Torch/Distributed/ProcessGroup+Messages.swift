internal import CTorch

extension ProcessGroup {
    /// Brings named tensors of all processes to the first; they travel by way of the host.
    ///
    /// - Returns: in the first process, what each had, in their order and on the CPU; elsewhere
    ///   nothing.
    public func collect(_ named: [String: Tensor]) throws -> [[String: Tensor]] {
        guard raw != nil else { return [named] }
        guard isFirst else {
            try send(named, to: 0)
            return []
        }
        return try [named.mapValues { try $0.detached().to(device: .cpu) }]
            + (1..<size).map { try receive(from: $0) }
    }

    private func send(_ named: [String: Tensor], to rank: Int) throws {
        let names = named.keys.sorted()
        let entries = names.compactMap { name in named[name].map { Entry(name, $0) } }
        let text = Array(entries.map(\.line).joined(separator: "\n").utf8)
        try send(Tensor.from([Int64(text.count)]), to: rank)
        guard !entries.isEmpty else { return }
        try send(Tensor.from(text), to: rank)
        for name in names {
            guard let tensor = named[name], tensor.count > 0 else { continue }
            try send(tensor, to: rank)
        }
    }

    private func send(_ tensor: Tensor, to rank: Int) throws {
        let host = try Self.portable(tensor.detached().to(device: .cpu).contiguous())
        try withExtendedLifetime(host) {
            try perform("send to rank \(rank)") { ct_group_send($0, host.raw, Int32(rank)) }
        }
    }

    private func receive(from rank: Int) throws -> [String: Tensor] {
        let count = try receive([1], .int64, from: rank).item()
        guard count > 0 else { return [:] }
        let text: [UInt8] = try receive([Int(count)], .uint8, from: rank).values()
        var named: [String: Tensor] = [:]
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            let entry = try Entry(line: line, in: self)
            named[entry.name] = try receive(entry.shape, entry.dtype, from: rank)
        }
        return named
    }

    private func receive(_ shape: [Int], _ dtype: DType, from rank: Int) throws -> Tensor {
        let tensor = try Tensor.empty(shape, dtype: dtype)
        guard tensor.count > 0 else { return tensor }
        let bytes = try Self.portable(tensor)
        try withExtendedLifetime(bytes) {
            try perform("receive from rank \(rank)") {
                ct_group_receive($0, bytes.raw, Int32(rank))
            }
        }
        return tensor
    }

    /// What the receiver has to know before a tensor comes.
    private struct Entry {
        var name: String
        var dtype: DType
        var shape: [Int]

        init(_ name: String, _ tensor: Tensor) {
            self.name = name
            dtype = tensor.dtype
            shape = tensor.shape
        }

        /// The name comes last, since it may hold anything but line ends.
        var line: String {
            "\(dtype.rawValue) \(shape.map(String.init).joined(separator: ",")) \(name)"
        }

        init(line: Substring, in group: ProcessGroup) throws {
            let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let number = Int32(parts[0]),
                let dtype = DType(rawValue: number)
            else {
                throw DistributedError.operation(
                    name: "receive", rank: group.rank, size: group.size, timeout: group.timeout,
                    why: "'\(line)' describes no tensor; do all ranks run the same version?")
            }
            self.dtype = dtype
            shape = parts[1].split(separator: ",").compactMap { Int($0) }
            name = String(parts[2])
        }
    }
}
