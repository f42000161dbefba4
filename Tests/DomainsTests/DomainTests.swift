import Domains
import Testing

@Suite("What numbers may be")
struct DomainTests {
    @Test func endsBelongToADomainUnlessItSaysOtherwise() {
        let pixels = NumberDomain.integers(1...16384, "pixels")
        #expect(pixels.contains(1) && pixels.contains(16384))
        #expect(!pixels.contains(0) && !pixels.contains(16385) && !pixels.contains(.max))
        let decay = NumberDomain.reals(0..<1)
        #expect(decay.contains(0.0) && decay.contains(0.999) && !decay.contains(1.0))
        let limit = NumberDomain.reals(above: 0, to: 8)
        #expect(!limit.contains(0.0) && limit.contains(1e-300) && limit.contains(8.0))
    }

    @Test func noDomainHoldsWhatIsNotFinite() {
        for setting in NumericSetting.allCases {
            for value in [Double.nan, .infinity, -.infinity] {
                #expect(!setting.domain.contains(value), "\(setting)")
            }
            for text in ["nan", "inf", "-inf", "1e400", "", " ", "x", "0x"] {
                #expect(!setting.domain.contains(text), "\(setting): \(text)")
            }
        }
    }

    @Test func whatHasAMeaningOfItsOwnIsTaken() {
        #expect(NumericSetting.seed.domain.contains("-1"))
        #expect(!NumericSetting.seed.domain.contains("-2"))
        #expect(NumericSetting.seed.domain.contains("18446744073709551615"))
        for setting in [NumericSetting.maxGradNorm, .loraAlpha, .zero, .vramLimit] {
            #expect(setting.domain.contains("0"), "\(setting)")
        }
        #expect(NumericSetting.vramLimit.domain.contains("auto"))
    }

    @Test func anErrorIsOneLineWithNameDomainAndValue() {
        let error = #expect(throws: NumberError.self) {
            try NumericSetting.learningRate.domain.check("1e39", "--learning_rate")
        }
        #expect("\(error!)" == "--learning_rate must be a number from 0 to 1e38, not 1e39")
        let width = #expect(throws: NumberError.self) { try NumericSetting.width.check(-64) }
        #expect("\(width!)" == "width must be an integer from 1 to 16384 pixels, not -64")
        let seed = #expect(throws: NumberError.self) {
            try NumericSetting.seed.domain.check("soon", "--seed")
        }
        #expect(seed!.description.contains("or -1 for one that is drawn, not 'soon'"))
    }

    @Test func optionsAreFoundUnderAllTheirNames() {
        #expect(NumericSetting(option: "num-inference-steps") == .steps)
        #expect(NumericSetting(option: "max_grad_norm") == .maxGradNorm)
        #expect(NumericSetting(option: "max-grad-norm") == .maxGradNorm)
        #expect(NumericSetting(option: "output") == nil)
        #expect(NumericSetting.numEpochs.property == "epochs")
        #expect(NumericSetting.tileSize.property == "tileSize")
    }

    @Test func listsHaveBounds() {
        #expect(throws: Never.self) {
            try NumericField.blockChannels.check([128, 256], count: 1...8)
        }
        for values in [[], Array(repeating: 128, count: 9), [128, 0], [1 << 62]] {
            #expect(throws: NumberError.self) {
                try NumericField.blockChannels.check(values, count: 1...8)
            }
        }
    }
}
