#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/expand.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/permute.h>
#include <ATen/ops/reshape.h>
#include <ATen/ops/select.h>
#include <ATen/ops/slice.h>
#include <ATen/ops/squeeze.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/transpose.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/unsqueeze.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>

using namespace ct;

extern "C" {

ct_status ct_reshape(ct_tensor t, const int64_t *s, size_t rank, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->reshape(sizes(s, rank))); });
}

ct_status ct_permute(ct_tensor t, const int64_t *axes, size_t rank, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->permute(sizes(axes, rank))); });
}

ct_status ct_expand(ct_tensor t, const int64_t *s, size_t rank, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->expand(sizes(s, rank))); });
}

ct_status ct_transpose(ct_tensor t, int64_t a, int64_t b, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->transpose(a, b)); });
}

ct_status ct_unsqueeze(ct_tensor t, int64_t axis, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->unsqueeze(axis)); });
}

ct_status ct_squeeze(ct_tensor t, int64_t axis, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->squeeze(axis)); });
}

ct_status ct_select(ct_tensor t, int64_t axis, int64_t index, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->select(axis, index)); });
}

ct_status ct_slice(ct_tensor t, int64_t axis, int64_t start, int64_t end, int64_t step,
                   ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->slice(axis, start, end, step)); });
}

ct_status ct_index_select(ct_tensor t, int64_t axis, ct_tensor index, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->index_select(axis, borrow(index))); });
}

ct_status ct_cat(const ct_tensor *ts, size_t count, int64_t axis, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::cat(list(ts, count), axis)); });
}

ct_status ct_stack(const ct_tensor *ts, size_t count, int64_t axis, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::stack(list(ts, count), axis)); });
}

ct_status ct_pad_constant(ct_tensor t, const int64_t *widths, size_t count, double value,
                          ct_tensor *out) {
  return guarded(
      [&] { *out = adopt(at::constant_pad_nd(borrow(t), sizes(widths, count), value)); });
}

ct_status ct_pad_reflect(ct_tensor t, const int64_t *widths, size_t count, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::pad(borrow(t), sizes(widths, count), "reflect")); });
}

ct_status ct_view_as_complex(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::view_as_complex(borrow(t))); });
}

ct_status ct_view_as_real(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::view_as_real(borrow(t))); });
}

ct_status ct_tril(ct_tensor t, int64_t diagonal, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::tril(borrow(t), diagonal)); });
}

ct_status ct_where(ct_tensor condition, ct_tensor a, ct_tensor b, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::where(borrow(condition), borrow(a), borrow(b))); });
}

}  // extern "C"

#endif
