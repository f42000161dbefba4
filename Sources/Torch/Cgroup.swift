import Foundation

/// The limit that a container or a service manager puts on this process: a memory cgroup of Linux,
/// version 1 or 2.
struct Cgroup {
    /// Bytes that the group may use.
    var limit: Int
    /// Bytes that it uses and cannot do without; cached files are not among them.
    var used: Int

    /// The tightest limit above this process; nil without one.
    ///
    /// - Parameter root: where the system shows processes and groups; for tests.
    static func current(root: String = "") -> Cgroup? {
        guard let text = try? String(contentsOfFile: root + "/proc/self/cgroup", encoding: .utf8)
        else { return nil }
        let groups = text.split(separator: "\n").flatMap { line -> [Cgroup] in
            let fields = line.split(
                separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [] }
            let path = String(fields[2])
            if fields[1].isEmpty {
                return chain(root + "/sys/fs/cgroup", path).compactMap(version2)
            }
            guard fields[1].split(separator: ",").contains("memory") else { return [] }
            return chain(root + "/sys/fs/cgroup/memory", path).compactMap(version1)
        }
        return groups.min { $0.limit - $0.used < $1.limit - $1.used }
    }

    /// A group's folder and those above it. In a container the path may be the host's, of which only
    /// the top is there.
    private static func chain(_ base: String, _ path: String) -> [String] {
        path.split(separator: "/").reduce(into: [base]) { folders, name in
            folders.append((folders.last ?? base) + "/" + name)
        }
    }

    private static func version2(_ folder: String) -> Cgroup? {
        guard let limit = number(folder + "/memory.max") else { return nil }
        let fields = statistics(folder)
        let used = (fields["anon"] ?? 0) + (fields["shmem"] ?? 0)
        return Cgroup(limit: limit, used: used)
    }

    private static func version1(_ folder: String) -> Cgroup? {
        // Without a limit there stands the largest number of pages.
        guard let limit = number(folder + "/memory.limit_in_bytes"), limit < 1 << 60 else {
            return nil
        }
        let fields = statistics(folder)
        return Cgroup(
            limit: limit, used: (fields["total_rss"] ?? 0) + (fields["total_shmem"] ?? 0))
    }

    private static func number(_ file: String) -> Int? {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static func statistics(_ folder: String) -> [String: Int] {
        guard let text = try? String(contentsOfFile: folder + "/memory.stat", encoding: .utf8)
        else { return [:] }
        var fields: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { fields[String(words[0])] = Int(words[1]) }
        }
        return fields
    }
}
