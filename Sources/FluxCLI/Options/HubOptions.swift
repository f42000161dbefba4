public import ArgumentParser
import Flux2
public import ModelHub

/// Whom to ask for files that are not on this machine.
struct HubOptions: ParsableArguments {
    @Option(
        help: """
            Hub to download from. Default: DIFFSYNTH_DOWNLOAD_SOURCE, else modelscope, as in \
            DiffSynth-Studio.
            """)
    var hub: Hub?

    @Flag(help: "No downloads: only what is on this machine.")
    var offline = false

    func settings() throws -> HubSettings {
        var settings = try HubSettings()
        if let hub { settings.hub = hub }
        if offline { settings.offlineBecause = "--offline" }
        return settings
    }
}

extension Hub: ExpressibleByArgument {}
