#include "quantized.hpp"
#include "guard.hpp"
#include "rotated.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/empty.h>
#include <c10/core/Storage.h>

#include <map>
#include <utility>

using namespace ct;

namespace {
/// One buffer for each device and thread, lent out again once nothing shows it any more: a fresh
/// one each time would cost more in page faults than the conversion into it.
thread_local std::map<std::pair<int, int>, at::Tensor> scratch;
}  // namespace

at::Tensor ct::scratch_tensor(at::IntArrayRef sizes, at::ScalarType type, c10::Device where) {
  at::Tensor result = at::empty({0}, at::TensorOptions().dtype(type).device(where));
  int64_t count = c10::multiply_integers(sizes);
  int64_t bytes = count * static_cast<int64_t>(c10::elementSize(type));
  at::Tensor &buffer = scratch[{static_cast<int>(where.type()), where.index()}];
  bool is_free = buffer.defined() && buffer.storage().use_count() == 1;
  if (buffer.defined() && !is_free) return at::empty(sizes, result.options());
  if (!buffer.defined() || buffer.numel() < bytes) {
    buffer = at::Tensor();
    buffer = at::empty({bytes}, result.options().dtype(at::kByte));
  }
  result.unsafeGetTensorImpl()->set_storage_keep_dtype(buffer.storage());
  result.unsafeGetTensorImpl()->set_storage_offset(0);
  result.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
  return result;
}

extern "C" {

ct_status ct_scratch(const int64_t *s, size_t rank, ct_dtype d, ct_device where, ct_tensor *out) {
  return guarded([&] { *out = adopt(scratch_tensor(sizes(s, rank), dtype(d), device(where))); });
}

void ct_release_scratch(void) { scratch.clear(); }

ct_status ct_dequantize8(ct_tensor values, ct_tensor scale, bool rotated, ct_tensor out) {
  return guarded([&] {
    at::Tensor target = borrow(out), factor = scale ? at::Tensor(borrow(scale)) : at::Tensor();
    if (rotated) return dequantize_rotated({borrow(values), factor}, target);
    dequantize8(borrow(values), factor, target);
  });
}

ct_status ct_quantize8(ct_tensor weight, ct_dtype d, int64_t group, ct_tensor *values, ct_tensor *scale) {
  return guarded([&] {
    Quantized quantized = quantize8(borrow(weight), dtype(d), group);
    *values = adopt(quantized.values);
    *scale = quantized.scale.defined() ? adopt(quantized.scale) : nullptr;
  });
}

ct_status ct_quantize_rotated(ct_tensor weight, ct_tensor *values, ct_tensor *scale) {
  return guarded([&] {
    Quantized quantized = quantize_rotated(borrow(weight));
    *values = adopt(quantized.values);
    *scale = adopt(quantized.scale);
  });
}

ct_status ct_quantization_loss(ct_tensor weight, ct_tensor values, ct_tensor scale, bool rotated,
                           double out[2]) {
  return guarded([&] {
    Quantized quantized{borrow(values), scale ? at::Tensor(borrow(scale)) : at::Tensor()};
    QuantizationLoss error = rotated ? loss_of_rotated(borrow(weight), quantized)
                                : quantization_loss(borrow(weight), quantized);
    out[0] = error.difference;
    out[1] = error.weight;
  });
}

}  // extern "C"

#endif
