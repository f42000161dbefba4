// swift-tools-version: 6.1
import PackageDescription

// The address of the repository: `FLUX2_URL=https://… swift run`. Its last part has to be `flux2`
// or `flux2.git`, since that is how the products below name the package.
let address = Context.environment["FLUX2_URL"] ?? "https://github.com/OWNER/flux2"

let package = Package(
    name: "Dependent",
    platforms: [.macOS(.v14)],
    dependencies: [
        .package(url: address, from: "0.1.0")
    ],
    targets: [
        .executableTarget(
            name: "Dependent",
            dependencies: [
                .product(name: "Flux2", package: "flux2"),
                .product(name: "Torch", package: "flux2"),
            ])
    ]
)
