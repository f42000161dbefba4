/// What makes a run this one and no other.
struct RunIdentity: Hashable, Codable, Sendable {
    /// Something that changes the result.
    struct Field: Hashable, Codable, Sendable {
        /// The option, or what people call it.
        var name: String
        var value: String
        /// Whether another value makes another run; else a run goes on with it, and it is told.
        var isFixed = true
    }

    var fields: [Field] = []
    var seed: UInt64
    /// Whether random numbers follow from the number of processes.
    var drawsByProcess: Bool
    var processes: Int
    var accumulation: Int

    /// Refuses to go on from a run that was set up otherwise.
    ///
    /// - Parameter path: the state of that run, whose identity this is.
    /// - Returns: what is different and may be, in words.
    /// - Throws: `TrainingError` naming the first thing that may not, as it was and as it is.
    func check(against now: RunIdentity, path: String) throws -> [String] {
        let given = Dictionary(now.fields.map { ($0.name, $0) }) { first, _ in first }
        let known = Set(fields.map(\.name))
        var remarks: [String] = []
        let pairs =
            fields.map { ($0, given[$0.name]?.value ?? "none") }
            + now.fields.filter { !known.contains($0.name) }.map {
                (Field(name: $0.name, value: "none", isFixed: $0.isFixed), $0.value)
            }
        for (field, value) in pairs where field.value != value {
            let change = "another \(field.name): \(field.value), now \(value)"
            guard !field.isFixed else { throw Self.refusal(path, "was written with \(change)") }
            remarks.append("going on with \(change)")
        }
        try checkProcesses(against: now, path: path)
        return remarks
    }

    private func checkProcesses(against now: RunIdentity, path: String) throws {
        guard !drawsByProcess || processes == now.processes else {
            throw Self.refusal(
                path,
                "was written by another number of processes, which --draws torch depends on: "
                    + "\(processes), now \(now.processes)")
        }
        // Micro-steps are counted on each process; what an update has seen has to stay the same.
        guard processes * accumulation == now.processes * now.accumulation else {
            throw TrainingError(
                reason: .foreignState(
                    "\(path): was written with \(processes) processes and accumulation "
                        + "\(accumulation); with \(now.processes) processes, "
                        + "--gradient_accumulation_steps has to be such that both multiply to "
                        + "\(processes * accumulation)"))
        }
    }

    /// An error about a state that belongs to another run.
    static func refusal(_ path: String, _ why: String) -> TrainingError {
        TrainingError(
            reason: .foreignState(
                "\(path): \(why); train into another --output_path, or begin anew with --force"))
    }
}
