import Flux2
import FluxTraining
import Testing
import Torch

@Suite("--quant_options")
struct QuantizationOptionTests {
    private func refusal(_ text: String) throws -> String {
        try "\(#require(throws: RequestError.self) { _ = try QuantizationOption.read(text) })"
    }

    @Test("says the same between colons and as a JSON object")
    func forms() throws {
        let plain = try QuantizationOption.read("a/b:int8/x_embedder, proj_out; c:fp8")
        let object = """
             {"a/b": {"method": "torchao_int8_w8a16", "exclude_modules": ["x_embedder", "proj_out"],
                      "mode": "dynamic"}, "c": "fp8"}
            """
        #expect(try QuantizationOption.read(object) == plain)
        #expect(plain[0].kept == ["x_embedder", "proj_out"])
        let text = #"{"a/b": {"method": "int8", "exclude_modules": "x_embedder, proj_out"}}"#
        #expect(try QuantizationOption.read(text) == [plain[0]])
    }

    @Test("names what of an object cannot be done")
    func refusals() throws {
        #expect(try refusal("int8").contains("or a JSON object"))
        #expect(try refusal(#"{"a": }"#).contains("JSON"))
        #expect(try refusal(#"{"a": {"method": "nf4"}}"#).contains("'nf4'"))
        #expect(try refusal(#"{"a": {"mode": "dynamic"}}"#).contains("a method for 'a'"))
        #expect(
            try refusal(#"{"a": {"method": "int8", "target_modules": ["x"]}}"#)
                .contains("'target_modules' of 'a'"))
        #expect(
            try refusal(#"{"a": {"method": "int8", "mode": "dequant_once"}}"#)
                .contains("'dequant_once'"))
    }
}
