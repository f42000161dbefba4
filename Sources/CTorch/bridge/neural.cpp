#include "counter.hpp"
#include "operation_counts.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/add.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/native_group_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/var_mean.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/upsample_nearest2d.h>

using namespace ct;

extern "C" {

ct_status ct_linear(ct_tensor x, ct_tensor weight, ct_tensor bias, ct_tensor *out) {
  return guarded([&] {
    at::Tensor product = at::linear(borrow(x), borrow(weight), optional(bias));
    count_linear(borrow(x), borrow(weight), product);
    *out = adopt(product);
  });
}

ct_status ct_embedding(ct_tensor weight, ct_tensor ids, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::embedding(borrow(weight), borrow(ids))); });
}

ct_status ct_layer_norm(ct_tensor x, int64_t width, ct_tensor weight, ct_tensor bias,
                        double epsilon, ct_tensor *out) {
  return guarded([&] {
    *out = adopt(at::layer_norm(borrow(x), {width}, optional(weight), optional(bias), epsilon));
  });
}

ct_status ct_rms_norm(ct_tensor x, int64_t width, ct_tensor weight, double epsilon,
                      ct_tensor *out) {
  return guarded(
      [&] { *out = adopt(at::rms_norm(borrow(x), {width}, optional(weight), epsilon)); });
}

ct_status ct_group_norm(ct_tensor x, int64_t groups, ct_tensor weight, ct_tensor bias,
                        double epsilon, ct_tensor *out) {
  return guarded([&] {
    *out = adopt(at::group_norm(borrow(x), groups, optional(weight), optional(bias), epsilon));
  });
}

ct_status ct_group_moments(ct_tensor t, int64_t groups, double epsilon, ct_tensor *out) {
  return guarded([&] {
    at::Tensor x = *borrow(t), m, r;
    auto batch = x.size(0), channels = x.size(1), area = x.size(2) * x.size(3);
    if (is_on_cpu(x)) {
      // Parameters of 32 bits make the kernel give its moments unrounded.
      auto one = at::ones({channels}, x.options().dtype(at::kFloat));
      std::tie(std::ignore, m, r) = at::native_group_norm(x.contiguous(), one, one, batch, channels,
                                                          area, groups, epsilon);
    } else {
      auto [variance, average] =
          at::var_mean(x.to(at::kFloat).reshape({batch, groups, -1}), {2}, /*unbiased=*/false);
      m = average;
      r = at::rsqrt(at::add(variance, epsilon));
    }
    *out = adopt(at::stack({m, r}));
  });
}

ct_status ct_conv2d(ct_tensor x, ct_tensor weight, ct_tensor bias, int64_t stride, int64_t padding,
                    ct_tensor *out) {
  return guarded([&] {
    at::Tensor map = at::conv2d(borrow(x), borrow(weight), optional(bias), {stride, stride},
                                at::IntArrayRef{padding, padding});
    count_product(borrow(weight), map.numel() * borrow(weight)->numel() / borrow(weight)->size(0),
                  {borrow(x), borrow(weight), map});
    *out = adopt(map);
  });
}

ct_status ct_mse_loss(ct_tensor x, ct_tensor target, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::mse_loss(borrow(x), borrow(target))); });
}

ct_status ct_upsample_nearest2d(ct_tensor x, int64_t factor, ct_tensor *out) {
  return guarded([&] {
    auto t = borrow(x);
    at::Tensor large = at::upsample_nearest2d(t, {t->size(2) * factor, t->size(3) * factor});
    // The kernel for the CPU copies both into the order that it works in.
    if (t->is_meta() && is_on_cpu(t) && t->is_contiguous()) at::empty_like(*t), at::empty_like(large);
    *out = adopt(large);
  });
}

ct_status ct_scaled_dot_product_attention(ct_tensor q, ct_tensor k, ct_tensor v, ct_tensor mask,
                                          bool causal, bool grouped, ct_tensor *out) {
  return guarded([&] {
    at::Tensor heads = at::scaled_dot_product_attention(borrow(q), borrow(k), borrow(v), optional(mask),
                                                        0.0, causal, std::nullopt, grouped);
    count_attention(borrow(q), borrow(k), borrow(v), causal);
    *out = adopt(heads);
  });
}

}  // extern "C"

#endif
