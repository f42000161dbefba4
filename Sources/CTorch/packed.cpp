#include "packed.hpp"
#include "guard.hpp"
#include "turned.hpp"

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

at::Tensor ct::lent(at::IntArrayRef sizes, at::ScalarType type, c10::Device where) {
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
  return guarded([&] { *out = adopt(lent(sizes(s, rank), dtype(d), device(where))); });
}

void ct_release_scratch(void) { scratch.clear(); }

ct_status ct_unpack8(ct_tensor values, ct_tensor scale, bool turned, ct_tensor out) {
  return guarded([&] {
    at::Tensor target = borrow(out), factor = scale ? at::Tensor(borrow(scale)) : at::Tensor();
    if (turned) return unpack_turned({borrow(values), factor}, target);
    unpack8(borrow(values), factor, target);
  });
}

ct_status ct_pack8(ct_tensor weight, ct_dtype d, int64_t group, ct_tensor *values, ct_tensor *scale) {
  return guarded([&] {
    Packed packed = pack8(borrow(weight), dtype(d), group);
    *values = adopt(packed.values);
    *scale = packed.scale.defined() ? adopt(packed.scale) : nullptr;
  });
}

ct_status ct_pack_turned(ct_tensor weight, ct_tensor *values, ct_tensor *scale) {
  return guarded([&] {
    Packed packed = pack_turned(borrow(weight));
    *values = adopt(packed.values);
    *scale = adopt(packed.scale);
  });
}

ct_status ct_packing_error(ct_tensor weight, ct_tensor values, ct_tensor scale, bool turned,
                           double out[2]) {
  return guarded([&] {
    Packed packed{borrow(values), scale ? at::Tensor(borrow(scale)) : at::Tensor()};
    PackingError error = turned ? error_of_turned(borrow(weight), packed)
                                : packing_error(borrow(weight), packed);
    out[0] = error.difference;
    out[1] = error.weight;
  });
}

}  // extern "C"

#endif
