#include "kernels.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ExpandUtils.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "counter.hpp"
#include "rows.hpp"

using namespace ct;

namespace {

ct_kernel_set found() {
#if defined(__x86_64__)
  bool has_integers = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vnni");
  // All processors that multiply bfloat16 multiply integers, too.
  if (has_integers && __builtin_cpu_supports("avx512bf16")) return CT_KERNELS_AVX512_BF16;
  if (has_integers) return CT_KERNELS_AVX512_VNNI;
#endif
  return CT_KERNELS_PORTABLE;
}

ct_kernel_set best() {
  static const ct_kernel_set set = found();
  return set;
}

// What the environment allows; tests run with it as a whole.
ct_kernel_set allowed_at_start() {
  const char *set = std::getenv("FLUX2_KERNELS");
  if (set && !std::strcmp(set, "reference")) return CT_KERNELS_REFERENCE;
  if (set && !std::strcmp(set, "portable")) return CT_KERNELS_PORTABLE;
  if (set && !std::strcmp(set, "avx512-vnni")) return CT_KERNELS_AVX512_VNNI;
  if (set && !std::strcmp(set, "direct")) return CT_KERNELS_DIRECT;
  return CT_KERNELS_AVX512_BF16;
}

// The highest set that may be used: by all threads, and by this one.
std::atomic<ct_kernel_set> allowed{allowed_at_start()};
thread_local ct_kernel_set allowed_here = CT_KERNELS_AVX512_BF16;

// What a kernel is written in.
ct_kernel_set needs(ct_kernel kernel) {
  switch (kernel) {
    case CT_KERNEL_ATTENTION:
    case CT_KERNEL_GROUP_NORM:
    case CT_KERNEL_CONVOLUTION:
      return CT_KERNELS_DIRECT;
    case CT_KERNEL_WINOGRAD:
      return CT_KERNELS_AVX512_BF16;
    case CT_KERNEL_NORM:
    case CT_KERNEL_MODULATION:
    case CT_KERNEL_ROTATION:
    case CT_KERNEL_GATE:
    case CT_KERNEL_RESIDUAL:
      return CT_KERNELS_PORTABLE;
    case CT_KERNEL_INT8:
      return CT_KERNELS_AVX512_VNNI;
  }
  return CT_KERNELS_AVX512_BF16;
}

bool is_recorded(at::TensorList operands) {
  return at::GradMode::is_enabled() &&
         std::any_of(operands.begin(), operands.end(),
                     [](const at::Tensor &t) { return t.defined() && t.requires_grad(); });
}

bool is_bfloat16(const at::Tensor &t) { return is_on_cpu(t) && t.scalar_type() == at::kBFloat16; }

thread_local bool is_recomputing = false;

// Integers round so much that what is computed for gradients must not be computed so once and
// otherwise the next time.
bool suits_recording(ct_kernel kernel) {
  return kernel != CT_KERNEL_INT8 || !(at::GradMode::is_enabled() || is_recomputing);
}

// A bfloat16 tensor whose rows lie in one piece.
bool is_plain(const at::Tensor &t) {
  return is_bfloat16(t) && t.dim() > 0 && (t.stride(-1) == 1 || t.size(-1) == 1);
}

// Maps may lie in any order; they are brought into that of the kernels, which then stays.
bool is_of_maps(ct_kernel kernel) {
  return kernel == CT_KERNEL_GROUP_NORM || kernel == CT_KERNEL_CONVOLUTION ||
         kernel == CT_KERNEL_WINOGRAD;
}

bool is_map(const at::Tensor &t) { return t.dim() == 4 && t.numel() > 0; }

// A weight is [out, in, side, side].
bool suits_winograd(const at::Tensor &weight) {
  return weight.dim() == 4 && ct_worth_saving_products(weight.size(0), weight.size(1));
}

// 8-bit integers, and numbers of a type that they are made of.
bool are_integers(const at::Tensor &x, const at::Tensor &values) {
  return is_on_cpu(x) && is_on_cpu(values) && values.is_contiguous() &&
         (x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kFloat) &&
         values.scalar_type() == at::kChar;
}

bool are_plain(ct_kernel kernel, at::TensorList operands) {
  if (kernel == CT_KERNEL_INT8) return are_integers(operands[0], operands[1]);
  return std::all_of(operands.begin(), operands.end(), [&](const at::Tensor &t) {
    return !t.defined() || (is_of_maps(kernel) ? is_bfloat16(t) : is_plain(t));
  });
}

// Row kernels take sixteen values at a time.
bool has_whole_vectors(const at::Tensor &t) {
  return t.size(-1) % 16 == 0 && t.dim() <= Rows::most_axes + 1;
}

bool spreads_to(const at::Tensor &t, const at::Tensor &x) {
  return t.size(-1) == x.size(-1) && at::is_expandable_to(t.sizes(), x.sizes());
}

bool attention_fits(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v) {
  return q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && k.size(0) == q.size(0) &&
         k.size(1) > 0 && q.size(1) % k.size(1) == 0 && k.size(2) > 0 && k.size(3) == q.size(3) &&
         q.size(3) % 2 == 0 && q.size(3) > 0 && q.size(3) <= 512;
}

// Whether the shapes are those that a kernel is written for.
bool fits(ct_kernel kernel, at::TensorList o) {
  switch (kernel) {
    case CT_KERNEL_ATTENTION:
      return attention_fits(o[0], o[1], o[2]);
    case CT_KERNEL_NORM:
      return has_whole_vectors(o[0]) && o[1].dim() == 1 && spreads_to(o[1], o[0]);
    case CT_KERNEL_MODULATION:
      return has_whole_vectors(o[0]) && spreads_to(o[1], o[0]) && spreads_to(o[2], o[0]);
    case CT_KERNEL_ROTATION:
      return o[0].dim() == 4 && o[0].size(3) % 32 == 0 &&
             (!o[1].defined() || (o[1].dim() == 1 && spreads_to(o[1], o[0])));
    case CT_KERNEL_GATE:
      return has_whole_vectors(o[0]) && o[0].sizes() == o[1].sizes();
    case CT_KERNEL_RESIDUAL:
      return has_whole_vectors(o[0]) && spreads_to(o[1], o[0]) && o[2].sizes() == o[0].sizes();
    case CT_KERNEL_GROUP_NORM:
    case CT_KERNEL_CONVOLUTION:
      return is_map(o[0]);
    case CT_KERNEL_WINOGRAD:
      return is_map(o[0]) && suits_winograd(o[1]);
    case CT_KERNEL_INT8:
      // Sums of more products might not fit into 32 bits.
      return o[1].dim() == 2 && o[0].dim() > 0 && o[0].size(-1) == o[1].size(1) &&
             o[1].size(1) > 0 && o[1].size(1) <= 65536;
  }
  return false;
}

}  // namespace

bool ct::has_kernel(ct_kernel kernel, at::TensorList operands) {
  return needs(kernel) <= ct_kernels() && !is_recorded(operands) && suits_recording(kernel) &&
         are_plain(kernel, operands) && fits(kernel, operands);
}

ct::RecomputationScope::RecomputationScope() : before_(std::exchange(is_recomputing, true)) {}
ct::RecomputationScope::~RecomputationScope() { is_recomputing = before_; }

extern "C" {

ct_kernel_set ct_best_kernels(void) { return best(); }
ct_kernel_set ct_kernels(void) { return std::min({best(), allowed.load(), allowed_here}); }
void ct_allow_kernels(ct_kernel_set highest) { allowed = highest; }

ct_kernel_set ct_allow_kernels_here(ct_kernel_set highest) {
  return std::exchange(allowed_here, highest);
}

bool ct_worth_saving_products(int64_t outputs, int64_t inputs) {
  // With few channels, what Winograd's way adds takes as long as the products that it saves, and its
  // error is not made up for.
  return std::min(outputs, inputs) >= 128;
}

ct_kernel_set ct_kernel_needs(ct_kernel kernel) { return needs(kernel); }

bool ct_has_kernel(ct_kernel kernel, const ct_tensor *operands, size_t count) {
  bool result = false;
  guarded([&] { result = has_kernel(kernel, list(operands, count)); });
  return result;
}

}  // extern "C"

#endif
