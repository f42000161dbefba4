import CStart
import Foundation
import TestSupport
import Testing

@Suite("Threads that wait leave the processor to others")
struct ThreadTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// What `doctor` says of threads, with nothing of these variables set but what is given.
    private func threads(_ environment: [String: String] = [:]) throws -> String {
        let unset = ["OMP_WAIT_POLICY": "", "OMP_NUM_THREADS": ""]
        let outcome = try Program.run(
            ["doctor"], environment: unset.merging(environment) { $1 })
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n").map(String.init)
        return try #require(lines.first { $0.contains(" threads, ") })
    }

    #if os(Linux)
        @Test func theyWaitPassivelyUnlessToldOtherwise() throws {
            #expect(try threads().hasSuffix("waiting passively"))
            #expect(
                try threads(["OMP_WAIT_POLICY": "active"]).hasSuffix("as OMP_WAIT_POLICY=active"))
            #expect(try threads(["GOMP_SPINCOUNT": "10"]).hasSuffix("GOMP_SPINCOUNT=10"))
        }

        @Test func thereAreAsManyAsTheEnvironmentSays() throws {
            #expect(try threads(["OMP_NUM_THREADS": "1"]).contains(" 1 threads, "))
        }

        /// Started twice, the program is still the process that was started, with its arguments.
        @Test func theProcessStaysTheOneThatWasStarted() throws {
            let running = try Program.start(
                ["inspect", "no such\nfile"], environment: ["OMP_WAIT_POLICY": ""])
            let outcome = try running.finish()
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("no such"))
        }

        /// A group's grant, in files as the kernel shows them, for a process in `/a/b`.
        private func granted(
            _ files: [String: String], _ list: String = "0::/a/b\n"
        ) throws -> Int32 {
            for (path, text) in files {
                let place = folder.file("groups/" + path)
                try FileManager.default.createDirectory(
                    atPath: (place as NSString).deletingLastPathComponent,
                    withIntermediateDirectories: true)
                try text.write(toFile: place, atomically: true, encoding: .utf8)
            }
            try list.write(toFile: folder.file("list"), atomically: true, encoding: .utf8)
            return cs_granted_processors_of(folder.file("list"), folder.file("groups"))
        }

        @Test func aQuotaIsRoundedUpToProcessors() throws {
            #expect(try granted(["a/b/cpu.max": "150000 100000\n"]) == 2)
        }

        @Test func theSmallestGrantOfEnclosingGroupsCounts() throws {
            let files = ["a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"]
            #expect(try granted(files) == 3)
            #expect(try granted(["cpu.max": "100000 100000\n"]) == 1)
        }

        @Test func groupsOfTheFirstVersionAreReadToo() throws {
            let files = [
                "cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n",
                "cpu/a/cpu.cfs_quota_us": "50000\n", "cpu/a/cpu.cfs_period_us": "100000\n",
            ]
            #expect(try granted(files, "5:memory:/x\n4:cpuacct,cpu:/a/b\n0::/\n") == 1)
        }

        @Test func withoutAQuotaThereIsNoLimit() throws {
            #expect(try granted(["a/b/cpu.max": "max 100000\n"]) == 0)
            #expect(try granted([:], "nothing that one knows\n\n1:cpu\n") == 0)
            #expect(cs_granted_processors_of(folder.file("none"), folder.path) == 0)
        }
    #endif
}
