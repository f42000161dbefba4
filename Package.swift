// swift-tools-version: 6.1
import Foundation
import PackageDescription

// libtorch is unpacked into the package by `make setup`; LIBTORCH names another copy, such as the
// folder `torch` of a Python environment's site-packages.
let libtorch = Context.environment["LIBTORCH"] ?? Context.packageDirectory + "/.libtorch/torch"

// Fetched for another package, this one may not say where anything lies; then libtorch is where
// `make install-libtorch` put it. SwiftPM fetches into `checkouts`, beside its `repositories`.
// Whether libtorch is there must not decide this: SwiftPM keeps what a manifest said, and would not
// notice `make setup`.
let parent = URL(fileURLWithPath: Context.packageDirectory).deletingLastPathComponent()
let isFetched =
    parent.lastPathComponent == "checkouts"
    && FileManager.default.fileExists(atPath: parent.path + "/../repositories")

let rpaths = ["$ORIGIN/../lib/flux2/torch/lib", libtorch + "/lib"]
let compileWithLibtorch: [CXXSetting] = [
    .unsafeFlags([
        "-O2",
        "-isystem", libtorch + "/include",
        "-isystem", libtorch + "/include/torch/csrc/api/include",
    ])
]
let linkWithLibtorch: [LinkerSetting] = [
    .unsafeFlags(
        ["-L" + libtorch + "/lib"] + rpaths.flatMap { ["-Xlinker", "-rpath", "-Xlinker", $0] }),
    .linkedLibrary("torch_cpu"),
    .linkedLibrary("c10"),
]

// C++ sources include headers of all folders by name.
let includeFolders: [CXXSetting] = [
    "bridge", "memory", "kernels", "quantize", "gguf", "optim", "distributed", "stubs",
].map { .headerSearchPath($0) }

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let tests: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
    name: "flux2",
    platforms: [.macOS(.v14)],
    products: [
        .executable(name: "flux2", targets: ["FluxCLI"]),
        .library(name: "Flux2", targets: ["Flux2"]),
        .library(name: "FluxTraining", targets: ["FluxTraining"]),
        .library(name: "Torch", targets: ["Torch"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
    ],
    targets: [
        // Engine
        .target(
            name: "CTorch",
            dependencies: isFetched ? ["CLibTorch"] : [],
            cxxSettings: (isFetched ? [] : compileWithLibtorch) + includeFolders,
            linkerSettings: (isFetched ? [] : linkWithLibtorch) + [
                .linkedLibrary("m", .when(platforms: [.linux])),
                .linkedLibrary("dl", .when(platforms: [.linux])),
            ]),
        .systemLibrary(name: "CLibTorch", pkgConfig: "libtorch"),
        .target(name: "Torch", dependencies: ["CTorch"], swiftSettings: strict),

        // Formats, without the engine
        .target(name: "CFiles"),
        .target(name: "FileSupport", dependencies: ["CFiles"], swiftSettings: strict),
        .target(name: "Domains", swiftSettings: strict),
        .target(
            name: "Checkpoints", dependencies: ["CFiles", "FileSupport"], swiftSettings: strict),
        .target(
            name: "Tokenization", dependencies: ["FileSupport"], swiftSettings: strict),
        .target(
            name: "CImageCodecs",
            linkerSettings: [
                .linkedLibrary("png16"), .linkedLibrary("turbojpeg"), .linkedLibrary("webp"),
            ]),
        .target(
            name: "Imaging", dependencies: ["CImageCodecs", "FileSupport"], swiftSettings: strict),
        .target(name: "CStart"),
        .target(name: "CYAML", linkerSettings: [.linkedLibrary("yaml")]),
        .target(
            name: "CHub", linkerSettings: [.linkedLibrary("curl"), .linkedLibrary("crypto")]),
        .target(
            name: "ModelHub", dependencies: ["CHub", "Domains", "FileSupport"],
            swiftSettings: strict),

        .target(
            name: "TrainingLogs", dependencies: ["FileSupport", "Imaging"], swiftSettings: strict),
        .target(name: "FluxEvaluation", dependencies: ["Imaging"], swiftSettings: strict),

        // FLUX.2
        .target(
            name: "Offloading",
            dependencies: ["Checkpoints", "FileSupport", "Torch"],
            swiftSettings: strict),
        .target(name: "FluxModels", dependencies: ["Domains", "Torch"], swiftSettings: strict),
        .target(
            name: "LoRA",
            dependencies: [
                "Checkpoints", "Domains", "FileSupport", "FluxModels", "Offloading", "Torch",
            ],
            swiftSettings: strict),
        .target(
            name: "Flux2",
            dependencies: [
                "Checkpoints", "Domains", "FileSupport", "FluxModels", "Imaging", "LoRA",
                "ModelHub", "Offloading", "Tokenization", "Torch",
            ],
            swiftSettings: strict),
        .target(
            name: "FluxTraining",
            dependencies: [
                "Checkpoints", "Domains", "FileSupport", "Flux2", "FluxModels", "Imaging", "LoRA",
                "ModelHub", "Offloading", "Tokenization", "Torch", "TrainingLogs",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "FluxCLI",
            dependencies: [
                "CFiles", "CStart", "CYAML", "Checkpoints", "Domains", "FileSupport", "Flux2",
                "FluxEvaluation", "FluxModels", "FluxTraining", "Imaging", "LoRA", "ModelHub",
                "Torch", "TrainingLogs",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // The data of the emoji model
        .executableTarget(
            name: "emoji-recipe",
            dependencies: [
                "FileSupport", "FluxEvaluation", "Imaging", "Tokenization",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Recipes/emoji/Sources", swiftSettings: strict),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: ["Checkpoints", "FluxModels", "Offloading", "Torch"],
            path: "Tests/TestSupport", exclude: ["hub_server.py"], swiftSettings: tests),
        .testTarget(
            name: "FileSupportTests", dependencies: ["FileSupport", "TestSupport"],
            swiftSettings: tests),
        .testTarget(name: "DomainsTests", dependencies: ["Domains"], swiftSettings: tests),
        .testTarget(
            name: "CheckpointsTests",
            dependencies: [
                "Checkpoints", "FileSupport", "FluxModels", "Offloading", "TestSupport", "Torch",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "TokenizationTests", dependencies: ["TestSupport", "Tokenization"],
            swiftSettings: tests),
        .testTarget(
            name: "ImagingTests",
            dependencies: ["Checkpoints", "FileSupport", "Imaging", "TestSupport"],
            exclude: ["Fixtures", "make_fixtures.py"], swiftSettings: tests),
        .testTarget(
            name: "FluxEvaluationTests", dependencies: ["FluxEvaluation", "Imaging"],
            swiftSettings: tests),
        .testTarget(
            name: "ModelHubTests", dependencies: ["FileSupport", "ModelHub", "TestSupport"],
            swiftSettings: tests),
        .testTarget(
            name: "TorchTests", dependencies: ["TestSupport", "Torch"], swiftSettings: tests),
        .testTarget(
            name: "GoldenTests",
            dependencies: [
                "Checkpoints", "Flux2", "FluxModels", "FluxTraining", "Imaging", "LoRA", "ModelHub",
                "Offloading", "TestSupport", "Torch",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "Flux2Tests",
            dependencies: [
                "Checkpoints", "Domains", "FileSupport", "Flux2", "FluxModels", "Imaging", "LoRA",
                "ModelHub", "Offloading", "TestSupport", "Tokenization", "Torch",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "FluxTrainingTests",
            dependencies: [
                "Checkpoints", "FileSupport", "Flux2", "FluxModels", "FluxTraining", "Imaging",
                "LoRA", "ModelHub", "Offloading", "TestSupport", "Tokenization", "Torch",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "TrainingLogsTests",
            dependencies: ["FileSupport", "Imaging", "TestSupport", "TrainingLogs"],
            swiftSettings: tests),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "Checkpoints", "FileSupport", "Flux2", "FluxCLI", "FluxModels", "FluxTraining",
                "Imaging", "LoRA", "ModelHub", "Offloading", "TestSupport", "Tokenization", "Torch",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "EmojiRecipeTests",
            dependencies: [
                "FluxEvaluation", "Imaging", "TestSupport", "Tokenization", "emoji-recipe",
            ],
            swiftSettings: tests),
        .testTarget(
            name: "CLITests",
            dependencies: [
                "CStart", "Checkpoints", "Domains", "Flux2", "FluxCLI", "Imaging", "LoRA",
                "ModelHub", "Offloading", "TestSupport", "Torch",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Fixtures"], swiftSettings: tests),
    ],
    cxxLanguageStandard: .cxx20
)
