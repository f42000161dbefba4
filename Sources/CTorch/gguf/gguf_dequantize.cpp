#include "gguf_blocks.hpp"

#ifdef CT_HAS_LIBTORCH

#include <c10/util/Exception.h>

namespace ct {

BlockSize block_size(ct_gguf_block_type format) {
  switch (format) {
    case CT_Q4_0: return {32, 18};
    case CT_Q8_0: return {32, 34};
    case CT_Q4_K: return {256, 144};
    case CT_Q5_K: return {256, 176};
    case CT_Q6_K: return {256, 210};
  }
  TORCH_CHECK(false, "no block format has the number ", static_cast<int>(format));
}

namespace {

void require_fit(const at::Tensor &packed, ct_gguf_block_type format, const at::Tensor &out) {
  BlockSize size = block_size(format);
  TORCH_CHECK(packed.scalar_type() == at::kByte && packed.dim() == 2 && packed.is_contiguous(),
              "quantized blocks are rows of bytes, found ", packed.scalar_type(), " ", packed.sizes());
  TORCH_CHECK(packed.size(1) % size.bytes == 0, "rows of ", packed.size(1),
              " bytes are no whole blocks of ", size.bytes);
  at::ScalarType type = out.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16 || type == at::kHalf,
              "blocks become float32, bfloat16 or float16, not ", type);
  TORCH_CHECK(out.dim() == 2 && out.is_contiguous() && out.size(0) == packed.size(0) &&
                  out.size(1) == packed.size(1) / size.bytes * size.values,
              "blocks of ", packed.sizes(), " bytes do not fill ", out.sizes());
  TORCH_CHECK(out.device() == packed.device(), "blocks on ", packed.device(),
              " cannot be dequantized to ", out.device());
}

template <class F>
ct_status dequantize(ct_tensor packed, ct_gguf_block_type format, ct_tensor out, F with) {
  return guarded([&] {
    Borrowed from = borrow(packed), to = borrow(out);
    require_fit(*from, format, *to);
    at::Tensor target = *to;
    if (target.numel() > 0) with(*from, format, target);
  });
}

}  // namespace
}  // namespace ct

using namespace ct;

extern "C" {

ct_status ct_dequantize_blocks(ct_tensor packed, ct_gguf_block_type format, ct_tensor out) {
  bool on_cpu = impl(packed)->device().is_cpu();
  return dequantize(packed, format, out, on_cpu ? dequantize_on_cpu : dequantize_by_operations);
}

ct_status ct_dequantize_blocks_by_operations(ct_tensor packed, ct_gguf_block_type format, ct_tensor out) {
  return dequantize(packed, format, out, dequantize_by_operations);
}

}  // extern "C"

#endif
