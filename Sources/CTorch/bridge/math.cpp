#include "operation_counts.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/abs.h>
#include <ATen/ops/add.h>
#include <ATen/ops/all.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/div.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/le.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/round.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>

using namespace ct;

namespace {
// Integers stay integers, so that a scalar does not turn an integer tensor into a float one.
at::Scalar scalar(double value) {
  auto whole = static_cast<int64_t>(value);
  if (value >= -9e15 && value <= 9e15 && static_cast<double>(whole) == value) return whole;
  return value;
}

at::OptionalIntArrayRef axes_or_all(const int64_t *axes, size_t count) {
  return axes ? at::OptionalIntArrayRef(at::IntArrayRef(axes, count)) : at::OptionalIntArrayRef();
}
}  // namespace

extern "C" {

#define CT_DEFINE(name)                                              \
  ct_status ct_##name(ct_tensor t, ct_tensor *out) {                 \
    return guarded([&] { *out = adopt(at::name(borrow(t))); });      \
  }
CT_UNARY_FUNCTIONS(CT_DEFINE)
#undef CT_DEFINE

#define CT_DEFINE(name)                                                         \
  ct_status ct_##name(ct_tensor a, ct_tensor b, ct_tensor *out) {               \
    return guarded([&] { *out = adopt(at::name(borrow(a), borrow(b))); });      \
  }
CT_BINARY_FUNCTIONS(CT_DEFINE)
#undef CT_DEFINE

#define CT_DEFINE(name)                                                         \
  ct_status ct_##name##_scalar(ct_tensor a, double b, ct_tensor *out) {         \
    return guarded([&] { *out = adopt(at::name(*borrow(a), scalar(b))); });     \
  }
CT_SCALAR_FUNCTIONS(CT_DEFINE)
#undef CT_DEFINE

ct_status ct_rsub_scalar(ct_tensor a, double b, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::rsub(*borrow(a), scalar(b))); });
}

ct_status ct_scalar_pow(double base, ct_tensor exponent, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::pow(at::Scalar(base), *borrow(exponent))); });
}

ct_status ct_add_(ct_tensor a, ct_tensor b) {
  return guarded([&] { borrow(a)->add_(borrow(b)); });
}

ct_status ct_mul_(ct_tensor a, ct_tensor b) {
  return guarded([&] { borrow(a)->mul_(borrow(b)); });
}

ct_status ct_addcmul(ct_tensor t, ct_tensor a, ct_tensor b, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::addcmul(borrow(t), borrow(a), borrow(b))); });
}

ct_status ct_clamp(ct_tensor t, double low, double high, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::clamp(*borrow(t), scalar(low), scalar(high))); });
}

ct_status ct_matmul(ct_tensor a, ct_tensor b, ct_tensor *out) {
  return guarded([&] {
    at::Tensor product = at::matmul(borrow(a), borrow(b));
    count_linear(borrow(a), borrow(b), product);
    *out = adopt(product);
  });
}

ct_status ct_svd(ct_tensor t, ct_tensor out[3]) {
  return guarded([&] {
    auto [u, s, v] = at::linalg_svd(borrow(t), /*full_matrices=*/false);
    out[0] = adopt(std::move(u));
    out[1] = adopt(std::move(s));
    out[2] = adopt(std::move(v));
  });
}

ct_status ct_orthonormal(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(std::get<0>(at::linalg_qr(borrow(t)))); });
}

ct_status ct_softmax(ct_tensor t, int64_t axis, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::softmax(borrow(t), axis)); });
}

ct_status ct_sum(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::sum(borrow(t), axes_or_all(axes, count), keep)); });
}

ct_status ct_mean(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::mean(borrow(t), axes_or_all(axes, count), keep)); });
}

ct_status ct_amax(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::amax(borrow(t), sizes(axes, count), keep)); });
}

ct_status ct_amin(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::amin(borrow(t), sizes(axes, count), keep)); });
}

ct_status ct_all(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::all(borrow(t))); });
}

ct_status ct_equal(ct_tensor a, ct_tensor b, bool *out) {
  return guarded([&] { *out = at::equal(borrow(a), borrow(b)); });
}

}  // extern "C"

#endif
