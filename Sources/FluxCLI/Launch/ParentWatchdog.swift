import Foundation

/// In a process that `flux2 launch` has started: ends it when the launcher is gone.
///
/// The launcher holds the other end of standard input, which the system closes however it ends.
enum ParentWatchdog {
    /// Tells a process that it was launched.
    static let variable = "FLUX2_LAUNCHED"
    /// What it says where the end of the terminal is to end nothing.
    static let outlivesTerminal = "nohup"

    /// To be called first of all, as it changes the environment.
    static func begin() {
        guard let value = getenv(variable) else { return }
        let ignored = String(cString: value) == outlivesTerminal ? [SIGHUP] : []
        // Processes that this one starts have another standard input.
        unsetenv(variable)
        takeSignals(butFor: ignored)
        let thread = Thread {
            waitForEnd()
            Reporter(quiet: false).notice("the launcher is gone; ending")
            // Work that wants to save something first is asked to; it may be stuck, too.
            kill(getpid(), SIGTERM)
            sleep(10)
            _exit(Exit.failed.rawValue)
        }
        thread.name = "flux2.launcher"
        thread.start()
    }

    /// Undoes what this process has from the launcher, whose threads block and ignore signals.
    private static func takeSignals(butFor ignored: [Int32]) {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_UNBLOCK, &all, nil)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, ignored.contains(number) ? SIG_IGN : SIG_DFL)
        }
        // With nobody left to tell, there is still something to save.
        signal(SIGPIPE, SIG_IGN)
    }

    private static func waitForEnd() {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count == 0 || (count < 0 && errno != EINTR) { return }
        }
    }
}
