#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>

using namespace ct;

extern "C" {

bool ct_grad_enabled(void) { return at::GradMode::is_enabled(); }
void ct_set_grad_enabled(bool enabled) { at::GradMode::set_enabled(enabled); }
bool ct_requires_grad(ct_tensor t) { return impl(t)->requires_grad(); }

ct_status ct_set_requires_grad(ct_tensor t, bool value) {
  return guarded([&] { borrow(t)->requires_grad_(value); });
}

ct_status ct_detach(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->detach()); });
}

ct_status ct_backward(ct_tensor t, ct_tensor gradient) {
  return guarded([&] {
    at::Tensor seed = gradient ? *borrow(gradient) : at::ones_like(*borrow(t));
    torch::autograd::backward({*borrow(t)}, {seed});
  });
}

ct_status ct_grad(ct_tensor t, ct_tensor *out) {
  return guarded([&] {
    const at::Tensor &gradient = borrow(t)->grad();
    *out = gradient.defined() ? adopt(gradient) : nullptr;
  });
}

ct_status ct_zero_grad(ct_tensor t) {
  return guarded([&] { borrow(t)->mutable_grad().reset(); });
}

ct_status ct_set_grad(ct_tensor t, ct_tensor gradient) {
  return guarded([&] { borrow(t)->mutable_grad() = *borrow(gradient); });
}

}  // extern "C"

#endif
