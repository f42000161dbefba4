import Foundation
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("The system says no", .serialized)
    struct SystemAnswers {
        private let folder: TemporaryFolder
        private let lora = Reference.own + "/inputs/lora/diffsynth.safetensors"

        init() throws { folder = try TemporaryFolder() }

        /// Runs the program by a shell, which can do with streams and names what `Process` cannot.
        private func shell(_ script: String, _ arguments: [String] = []) throws -> (
            status: Int32, output: Data
        ) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = ["-c", script, "bash", Program.path] + arguments
            process.environment = ProcessInfo.processInfo.environment.merging([
                "FLUX2_PROMPT_CACHE": "off", "HF_HUB_OFFLINE": "1",
            ]) { $1 }
            process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
            let log = folder.file("log")
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
            process.standardOutput = process.standardError
            try process.run()
            process.waitUntilExit()
            return (process.terminationStatus, try Data(contentsOf: URL(fileURLWithPath: log)))
        }

        private func lines(_ output: Data) -> String { String(decoding: output, as: UTF8.self) }

        @Test(
            .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")),
            arguments: [
                ["--version"], ["generate", "--help"], ["models", "--json"], ["doctor"],
                ["inspect", Reference.ownModel("tiny-klein"), "--json"],
            ])
        func aFullStandardOutputIsAnError(_ arguments: [String]) throws {
            let (status, output) = try shell(#""$@" > /dev/full"#, arguments)
            #expect(status == 1)
            #expect(lines(output).contains("Error: standard output: cannot write: no space left"))
        }

        /// A file that is opened must not get the number of a stream.
        @Test func closedStreamsAreNoFiles() throws {
            let inspect = ["inspect", Reference.ownModel("tiny-klein")]
            let (status, output) = try shell(#""$@" >&-"#, inspect)
            #expect(status == 1 && lines(output).contains("standard output: cannot write"))
            let image = folder.file("a.png")
            let arguments = tinyArguments(output: image, ["--json"])
            _ = try shell(#""$@" <&- >&- 2>&-"#, arguments)
            #expect(try Data(contentsOf: URL(fileURLWithPath: image)).suffix(8).contains(0x82))
        }

        @Test func controlCharactersOfFilesAreSpelledOut() throws {
            let path = folder.file("a.safetensors")
            try SafetensorsWriter.write(
                to: path, tensors: [],
                metadata: ["a\u{1B}]0;b\u{7}": "c\u{9B}31m\u{202E}\nkey hash  forged"])
            for more in [[], ["--json"]] {
                let (status, output) = try shell(#""$@""#, ["inspect", path] + more)
                let text = lines(output)
                #expect(status == 0 && text.contains(#"\u001b]0;b\u0007"#))
                let isControl = { (scalar: Unicode.Scalar) in
                    scalar.value < 0x20 && scalar != "\n" || [0x9B, 0x202E].contains(scalar.value)
                }
                #expect(!text.unicodeScalars.contains(where: isControl))
                #expect(!text.split(separator: "\n").contains { $0.hasPrefix("key hash") })
                if !more.isEmpty { _ = try JSONSerialization.jsonObject(with: output) }
            }
            let name = "evil\u{1B}[2J.safetensors"
            let (status, output) = try shell(#""$@""#, ["inspect", name])
            #expect(status != 0 && !lines(output).contains("\u{1B}"))
        }

        #if os(Linux)
            @Test func namesNeedNotBeUTF8() throws {
                let (status, output) = try shell(
                    #"""
                    mkdir $'dir\xff' && cp "$2" $'fox\xff.safetensors' && cp "$3" $'dir\xff/pic\xff.png'
                    "$1" lora inspect $'fox\xff.safetensors' --model "$4" || exit 1
                    "$1" generate x --model "$4" --height 64 --width 64 --steps 1 --quiet \
                        --lora=$'fox\xff.safetensors:0.5' --edit-image $'dir\xff/pic\xff.png' \
                        --no-edit-image-auto-resize \
                        -o $'dir\xff/new.png' || exit 2
                    test -s $'dir\xff/new.png'
                    """#,
                    [
                        lora, Reference.own + "/inputs/init_64x64.png",
                        Reference.ownModel("tiny-klein"),
                    ])
                #expect(status == 0, "\(lines(output))")
                #expect(lines(output).contains(#"fox\xff.safetensors"#))
                for argument in [#"-o $'new\xff.png'"#, #"$'caf\xe9'"#] {
                    let (status, output) = try shell(#""$@" generate \#(argument)"#)
                    #expect(status != 0 && lines(output).contains("is not UTF-8"))
                }
            }

            @Test func withoutHardLinksImagesAreWritten() throws {
                let shim = try Shim(
                    """
                    #define _GNU_SOURCE
                    #include <dlfcn.h>
                    #include <errno.h>
                    #include <stdarg.h>
                    #include <sys/syscall.h>
                    int link(const char *a, const char *b) { errno = EPERM; return -1; }
                    int linkat(int x, const char *a, int y, const char *b, int f) { return link(a, b); }
                    long syscall(long number, ...) {
                      long v[6];
                      va_list list;
                      va_start(list, number);
                      for (int i = 0; i < 6; i++) v[i] = va_arg(list, long);
                      va_end(list);
                      if (number == SYS_renameat2) { errno = EINVAL; return -1; }
                      long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
                      return real(number, v[0], v[1], v[2], v[3], v[4], v[5]);
                    }
                    """, in: folder)
                let image = folder.file("a.png")
                let outcome = try Program.run(
                    ["inspect", lora], environment: ["LD_PRELOAD": shim.path])
                #expect(outcome.status == 0, "\(outcome.errors)")
                let written = try Program.run(
                    [
                        "lora", "convert", lora, "--model", Reference.ownModel("tiny-klein"), "-o",
                        image,
                    ],
                    environment: ["LD_PRELOAD": shim.path])
                #expect(written.status == 0, "\(written.errors)")
                #expect(FileManager.default.fileExists(atPath: image))
                let again = try Program.run(
                    [
                        "lora", "convert", lora, "--model", Reference.ownModel("tiny-klein"), "-o",
                        image,
                    ],
                    environment: ["LD_PRELOAD": shim.path])
                #expect(again.status != 0 && again.errors.contains("exists already"))
            }
        #endif

        @Test func pipesAreNotWaitedFor() throws {
            let pipe = folder.file("a.safetensors")
            mkfifo(pipe, 0o600)
            let model = try folder.model()
            let configuration = model + "/transformer/config.json"
            try FileManager.default.removeItem(atPath: configuration)
            mkfifo(configuration, 0o600)
            for arguments in [
                ["lora", "inspect", pipe], ["inspect", pipe],
                tinyArguments(output: folder.file("b.png"), ["--edit-image", pipe]),
                tinyArguments(output: folder.file("b.png"), ["--lora", pipe]),
                tinyArguments(model: model, output: folder.file("b.png")),
            ] {
                let (status, output) = try shell(#"timeout 60 "$@""#, arguments)
                #expect(status == 1 && lines(output).contains("found a pipe"), "\(lines(output))")
            }
        }

        @Test func aModelThatBecomesShorterIsNamed() throws {
            let model = try folder.model()
            let weights = model + "/transformer/diffusion_pytorch_model.safetensors"
            let running = try Program.start(
                [
                    "generate", "x", "--model", model, "--height", "64", "--width", "64", "--steps",
                    "5000", "--threads", "1", "--output", folder.file("a.png"),
                ])
            let deadline = Date().addingTimeInterval(120)
            while running.isRunning, Date() < deadline, !running.errors.contains("transformer: ") {
                Thread.sleep(forTimeInterval: 0.01)
            }
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: weights))
            try handle.truncate(atOffset: 4096)
            let outcome = try running.finish()
            #expect(outcome.status == 1, "\(outcome.errors)")
            #expect(outcome.errors.contains("Error: \(weights): became shorter"))
            #expect(folder.contents == ["tiny-klein"])
        }

        @Test func withoutAHomeNothingIsPutIntoTheCurrentFolder() throws {
            let (status, output) = try shell(
                #"unset HOME XDG_CACHE_HOME FLUX2_PROMPT_CACHE; "$@""#,
                tinyArguments(output: "a.png", ["--weights", "int8-row"]))
            #expect(status == 0, "\(lines(output))")
            #expect(folder.contents == ["a.png", "log"])
        }

        /// What is kept in eight bits is looked at, and made anew where it is not what was written.
        @Test(arguments: ["weights.safetensors", "config.json"])
        func damageOfKeptWeightsIsNoticed(_ name: String) throws {
            func run() throws -> (latents: Data, errors: String) {
                let outcome = try Program.run(
                    tinyArguments(
                        output: folder.file("a.png"),
                        [
                            "--weights", "int8-row", "--force", "--save-latents",
                            folder.file("l.safetensors"), "--quiet",
                        ]), environment: ["FLUX2_WEIGHT_CACHE": folder.file("kept")])
                #expect(outcome.status == 0, "\(outcome.errors)")
                let latents = URL(fileURLWithPath: folder.file("l.safetensors"))
                return (try Data(contentsOf: latents), outcome.errors)
            }
            let first = try run()
            let kept = try FileManager.default.subpathsOfDirectory(atPath: folder.file("kept"))
                .filter { $0.hasSuffix(name) }
            #expect(!kept.isEmpty)
            for path in kept {
                let file = URL(fileURLWithPath: folder.file("kept/" + path))
                var bytes = try Data(contentsOf: file)
                if name == "config.json" {
                    bytes = Data("{}".utf8)
                } else {
                    bytes[bytes.count / 2] ^= 1
                }
                try bytes.write(to: file)
            }
            let second = try run()
            #expect(second.latents == first.latents)
            #expect(second.errors.contains("warning: ") && second.errors.contains("is damaged"))
            let third = try run()
            #expect(third.latents == first.latents && !third.errors.contains("is damaged"))
        }
    }
}
