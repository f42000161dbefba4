// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "Examples",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "flux2", path: "..")],
    targets: ["klein-4b", "klein-9b", "klein-base-4b", "klein-base-9b", "dev"].flatMap { name in
        [name, name + "-low-vram", name + "-validate-lora"]
            + (name == "dev" ? [] : [name + "-validate-full"])
    }.map { name in
        .executableTarget(
            name: name, dependencies: [.product(name: "Flux2", package: "flux2")],
            path: "Sources/" + name, swiftSettings: [.swiftLanguageMode(.v6)])
    }
)
