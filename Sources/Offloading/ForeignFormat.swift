/// Formats of other programs that are not read, told by the names of their tensors.
enum ForeignFormat {
    private static let names: [(suffix: String, format: String)] = [
        (".quant_state.bitsandbytes__nf4", "bitsandbytes in 4 bits (nf4)"),
        (".quant_state.bitsandbytes__fp4", "bitsandbytes in 4 bits (fp4)"),
        (".absmax", "bitsandbytes in 4 bits"),
        (".SCB", "bitsandbytes in 8 bits"),
        (".svd_up", "SDNQ"), (".svd_down", "SDNQ"), (".zero_point", "SDNQ"),
        (".weight._data", "quanto"), (".weight._scale", "quanto"),
        (".weight:qdata", "torchao"), (".weight_qdata", "torchao"),
        (".weight_scale_2", "nvfp4, in 4 bits"),
        (".pre_quant_scale", "ModelOpt with scaled inputs"),
        (".weight_scale_inv", "8-bit floats in square blocks"),
        (".weight_zero_point", "compressed-tensors with zero points"),
        (".weight_packed", "compressed-tensors, packed"),
        (".weight_s_rel", "W4A8, in 4 bits"), (".weight_s_channel", "W4A8, in 4 bits"),
        (".weight_codebook", "W4A8, in 4 bits"),
        (".weight_proj_down", "SVDQuant, in 4 bits"), (".wscales", "Nunchaku, in 4 bits"),
        (".weight_zeros", "AWQ, in 4 bits"), (".qzeros", "GPTQ or AWQ, in 4 bits"),
        (".qweight", "GPTQ, AWQ or Nunchaku, in 4 bits"),
        (".scales", "MLX, in groups"),
    ]

    /// - Throws: `WeightError` naming a tensor and whose format it belongs to.
    static func refuse(_ checkpoint: Checkpoint) throws {
        for (suffix, format) in names {
            guard let name = checkpoint.names.filter({ $0.hasSuffix(suffix) }).min() else {
                continue
            }
            throw WeightError(
                file: checkpoint[name]?.file.path ?? checkpoint.location, key: name,
                reason: .unknownFormat(format))
        }
    }
}
