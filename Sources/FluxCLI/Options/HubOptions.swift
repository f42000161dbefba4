public import ArgumentParser
import Flux2
public import ModelHub

/// Whom to ask for files that are not on this machine.
struct HubOptions: ParsableArguments {
    @Option(
        help: """
            huggingface or modelscope; that of DIFFSYNTH_DOWNLOAD_SOURCE when absent, else \
            modelscope, as in DiffSynth-Studio.
            """)
    var hub: Hub?

    @Flag(help: "Take only what is on this machine.")
    var offline = false

    func settings() throws -> HubSettings {
        var settings = try HubSettings()
        if let hub { settings.hub = hub }
        if offline { settings.offlineBecause = "--offline" }
        return settings
    }
}

extension Hub: ExpressibleByArgument {}
