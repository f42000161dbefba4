import Domains
import FluxModels
import Foundation
import LoRA
import Offloading
import TestSupport
import Testing

@testable import Flux2

@Suite("Numbers of requests and configurations are looked at before they are used")
struct NumberTests {
    private static let values: [String] = [
        "-1", "0", "2147483648", "4611686018427387904", "9223372036854775807", "1e300",
        "18446744073709551616", "null", "\"x\"", "[]", "[4611686018427387904]", "0.5",
    ]

    /// Whatever a field says, a configuration is refused in a line, or its numbers can be multiplied.
    @Test(arguments: Component.allCases)
    func configurationsWithAnyNumber(_ component: Component) throws {
        let path = Reference.ownModel("tiny-klein/\(component.rawValue)") + "/config.json"
        let text = try #require(try? String(contentsOfFile: path, encoding: .utf8))
        let fields = try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        for name in fields.keys {
            for value in Self.values {
                var changed = fields
                changed[name] = "@"
                let data = try JSONSerialization.data(withJSONObject: changed)
                let json = String(decoding: data, as: UTF8.self).replacing("\"@\"", with: value)
                do {
                    try declare(component, Data(json.utf8))
                } catch let error as ModelError {
                    #expect(!error.description.contains("\n"), "\(error)")
                }
            }
        }
    }

    /// Reads a configuration and declares all parameters that it asks for.
    private func declare(_ component: Component, _ data: Data) throws {
        switch component {
        case .transformer:
            let shape = try Configuration.decode(TransformerConfiguration.self, data, of: "a")
            #expect(shape.width > 0 && shape.feedForwardWidth > 0)
        case .textEncoder:
            let shape = try Configuration.decode(TextEncoderConfiguration.self, data, of: "a")
            #expect(shape.headCount * shape.headSize > 0 && shape.featureWidth > 0)
        case .autoencoder:
            let shape = try Configuration.decode(AutoencoderConfiguration.self, data, of: "a")
            #expect(shape.patchedChannels > 0 && shape.spatialFactor > 0)
        }
    }

    @Test func aFieldOutOfItsDomainIsNamed() throws {
        let path = Reference.ownModel("tiny-klein/transformer") + "/config.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let error = #expect(throws: ModelError.self) {
            try declare(
                .transformer,
                Data(
                    text.replacing(
                        "\"num_single_layers\": 3", with: "\"num_single_layers\": 1048576"
                    )
                    .utf8))
        }
        #expect(
            error?.description
                == "a: 'num_single_layers' must be an integer from 1 to 1024, not 1048576")
    }

    @Test func anIndexThatNoImageCanBeMadeWith() throws {
        for (field, value) in [
            ("text_length", "-1"), ("text_length", "4611686018427387904"), ("height", "0"),
            ("width", "9223372036854775807"), ("steps", "0"), ("cfg_scale", "1e300"),
        ] {
            let json = "{\"flux2\": {\"\(field)\": \(value)}}"
            let error = #expect(throws: ModelError.self) {
                try Configuration.decode(ModelFolder.Index.self, Data(json.utf8), of: "a")
            }
            #expect(error?.description.contains("'flux2.\(field)' must be") == true)
        }
    }

    @Test func requestsOfAnyNumberTrapNowhere() {
        let changes: [(String, (inout GenerationRequest) -> Void)] = [
            ("height", { $0.height = .max }), ("width", { $0.width = .min }),
            ("steps", { $0.steps = .max }), ("textLength", { $0.textLength = -1 }),
            ("cfgScale", { $0.cfgScale = .nan }), ("stepCache", { $0.stepCache = -.infinity }),
            ("embeddedGuidance", { $0.embeddedGuidance = 1e39 }),
            ("denoisingStrength", { $0.denoisingStrength = .nan }),
            ("the weight of a", { $0.loras = [LoRAUse(path: "a", strength: .nan)] }),
            ("tileSize", { $0.tiling = .feathered(.init(size: .max, stride: 1)) }),
            ("tileStride", { $0.tiling = .feathered(.init(size: 8, stride: 0)) }),
            ("overlap", { $0.tiling = .overlapping(.init(overlap: .nan)) }),
            ("tileStride", { $0.tiling = .overlapping(.init(overlap: 0.9999)) }),
            ("extra-text-embedding", { $0.extras.textEmbedding = Self.record([7], 4) }),
            ("initial-noise", { $0.initialNoise = Self.record([1, 2, .max, 0], 0) }),
        ]
        for (setting, change) in changes {
            var request = GenerationRequest(prompt: "", seed: 1)
            change(&request)
            _ = request.roundedSize
            let error = #expect(throws: RequestError.self) { try request.validate() }
            #expect(error?.setting == setting, "\(error!)")
        }
    }

    private static func record(_ shape: [Int], _ bytes: Int) -> HostTensor {
        HostTensor(type: .F32, shape: shape, bytes: Array(repeating: 0, count: bytes))
    }

    @Test func valuesThatAreFewerThanTheShapeSaysAreRefused() {
        let noise = Self.record([1, 128, 1 << 40, 1 << 40], 16)
        #expect(throws: RequestError.self) { try noise.tensor(for: "initial-noise") }
    }

    @Test func aLimitOfZeroIsAsLittleAsCanBe() throws {
        let units = (0..<4).map { WeightGroupSize(name: "\($0)", byteCount: 100) }
        var settings = MemorySettings()
        settings.deviceLimit = 0
        settings.simulatesDevice = true
        let part = Planner.Part(
            component: .transformer, format: "float32", units: units, small: 10, scratch: 0,
            passes: 1)
        let planner = Planner(
            device: .cpu, settings: settings, deviceFree: 1 << 40, hostFree: 1 << 40,
            parts: [part],
            demands: [
                .init(stage: "denoise", component: .transformer, base: 0, activations: 1000)
            ])
        let outcome = try planner()
        #expect(outcome.plan.components[0].streamed == 400)
        #expect(!outcome.plan.keepsAll)
    }
}

@Suite("Patterns for names take bounded time")
struct NamePatternTests {
    private func matches(_ pattern: String, _ name: String) throws -> Bool {
        try NamePattern(pattern).matches(name)
    }

    @Test func matchAsInOtherPrograms() throws {
        let name = "single_transformer_blocks.12.attn.to_out"
        for pattern in [
            ".*", "single.*", #".*\.attn\.to_(q|k|out)"#, #"single_transformer_blocks\.\d+\..*"#,
            #"[a-z_]+\.1[0-9]\.attn\.[^.]+"#, "^single.*to_out$", #"(?:.*\.)?to_out"#,
            "(?!double).*", "(?=single).*", #".*?\.12\..+?"#, #"\w+(\.\w+){3}"#, "(?P<a>s).*",
            #".*\bto_out\b"#, "single.{0,40}",
        ] {
            #expect(try matches(pattern, name), "\(pattern)")
        }
        for pattern in ["to_out", "single", "", "(?!single).*", #"\d+"#, ".{3}", #"\w+(\.\w+){2}"#]
        {
            #expect(try !matches(pattern, name), "\(pattern)")
        }
        #expect(try matches("a{,2}b", "aab") && matches("a{x}", "a{x}"))
        #expect(try matches("[]a]+", "]a") && matches("[a-]", "-") && matches(#"[\d.]+"#, "1.5"))
        #expect(try matches("a|", "") && matches("(a*)*", "aaa") && !matches("(a*)+b", "aaa"))
    }

    @Test(arguments: ["(.*.*)*z", "(a+)+b", "(a|a)*b", "(a|aa)+$b", "((a*)*)*b", "(.*a){20}b"])
    func theWorstOnesEndAtOnce(_ pattern: String) throws {
        let begun = ContinuousClock.now
        _ = try? matches(pattern, String(repeating: "a", count: 300))
        #expect(ContinuousClock.now - begun < .seconds(20))
    }

    @Test(arguments: [
        "(", ")", "[a", "a**+", "*", #"\1"#, "(?i)a", "(?<=a)b", #"\"#, "a{2000}", "[z-a]",
        "(?P<a", String(repeating: "(", count: 200), "a{99999999999999999999}",
    ])
    func whatIsNotReadIsRefused(_ pattern: String) {
        #expect(throws: NamePatternError.self) { try NamePattern(pattern) }
    }
}
