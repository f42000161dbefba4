// A linear layer whose weight is kept as rotated integers: numbers become integers on their way in,
// and numbers again on their way out.
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "rotated.hpp"
#include "operation_counts.hpp"

using namespace ct;

namespace {

void check(const at::Tensor &x, const Quantized &weight, const at::Tensor &out) {
  const auto &[values, scale] = weight;
  TORCH_CHECK(values.dim() == 2 && x.dim() > 0 && x.size(-1) == values.size(1), "rows of ",
              x.sizes(), " for a weight of shape ", values.sizes());
  TORCH_CHECK(scale.is_contiguous() && scale.scalar_type() == at::kFloat &&
                  scale.numel() == values.size(0), "scales of shape ", scale.sizes(),
              " for values of shape ", values.sizes());
  TORCH_CHECK(values.is_contiguous() && values.scalar_type() == at::kChar && out.is_contiguous() &&
                  out.scalar_type() == x.scalar_type() &&
                  out.numel() * values.size(1) == x.numel() * values.size(0),
              "a product of integers needs memory in one piece for its result");
}

// Rows whose neighbors lie side by side, as they lie if possible.
at::Tensor rows_of(const at::Tensor &x) {
  at::Tensor rows = x.reshape({-1, x.size(-1)});
  return rows.stride(1) == 1 || rows.size(1) == 1 ? rows : rows.contiguous();
}

}  // namespace

extern "C" {

ct_status ct_kernel_int8(ct_tensor input, ct_tensor values, ct_tensor scale, ct_tensor output) {
  return guarded([&] {
    at::Tensor x = borrow(input), out = borrow(output);
    Quantized weight{borrow(values), borrow(scale)};
    check(x, weight, out);
    if (out.numel() == 0) return;
    count_linear(x, weight.values, out);
    at::Tensor rows = rows_of(x);
    RotatedRows rotated{nullptr, nullptr, rows.size(0), rows.size(1)};
    // Memory that weights would be dequantized into, had they to be.
    at::Tensor space = scratch_tensor(
        {rotated.byte_count() + 4 * rotated.count}, at::kByte, c10::Device(at::kCPU));
    rotated.bytes = static_cast<uint8_t *>(space.mutable_data_ptr());
    rotated.scales = reinterpret_cast<float *>(rotated.bytes + rotated.byte_count());
    rotate_rows(rows, rotated);
    multiply_rotated(rotated, weight, out);
  });
}

}  // extern "C"

#endif
