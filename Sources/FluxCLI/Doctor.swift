import ArgumentParser
import Flux2

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what flux2 runs on, and test that it computes right.")

    @OptionGroup var result: ResultOptions

    func run() throws {
        let report = result.report
        let machine = MachineFindings()
        if !result.json { print(machine.text) }
        let tests = SelfTest.runAll().map(MachineFindings.Test.init)
        if result.json {
            var all = machine
            all.selfTests = tests
            print(try JSON.line(all, warnings: report.warnings))
        } else {
            tests.forEach { print($0.line) }
        }
        if tests.contains(where: { $0.failure != nil }) { throw Exit.failed.code }
    }
}
