// swift-tools-version: 6.1
import PackageDescription

let models = ["klein-4b", "klein-9b", "klein-base-4b", "klein-base-9b", "dev"]
/// What there is for each model; no full training of dev is published.
let kinds = ["", "-low-vram", "-validate-lora", "-validate-full"]
let names: [String] = models.flatMap { model in kinds.map { model + $0 } }
    .filter { $0 != "dev-validate-full" }

let package = Package(
    name: "Examples",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "flux2", path: "..")],
    targets: names.map { name in
        .executableTarget(
            name: name, dependencies: [.product(name: "Flux2", package: "flux2")],
            path: "Sources/" + name, swiftSettings: [.swiftLanguageMode(.v6)])
    }
)
