import FluxTraining
import Testing
import Torch

@Suite struct TrainableParameterTests {
    @Test func aParameterKeepsItsNameAndTensor() throws {
        let tensor = try Tensor.from([Float(1), 2])
        let parameter = TrainableParameter("proj_out.weight", tensor)
        #expect(parameter.name == "proj_out.weight")
        #expect(try parameter.tensor.values() == [Float(1), 2])
    }
}
