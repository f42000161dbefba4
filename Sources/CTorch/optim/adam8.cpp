// Adam with 8-bit moments in blocks of 256 that share a scale, as in "8-bit Optimizers via
// Block-wise Quantization", arXiv 2110.02861.
#include "clones.hpp"
#include "eight_bits.hpp"
#include "optimizers.hpp"
#include "parallel.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/bucketize.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace ct;

namespace {
constexpr int64_t block = 256;

/// The 256 values of a moment in units of its block's largest, in order: in each of seven decades
/// the middles of equal parts, twice as many as in the decade below; 0; and 1.
at::Tensor dynamic_map(bool is_signed) {
  std::vector<at::Tensor> parts = {at::zeros({1}), at::zeros({1}).add_(1)};
  for (int decade = 0; decade < 7; decade++) {
    int64_t borders = (int64_t{1} << (decade + (is_signed ? 0 : 1))) + 1;
    at::Tensor edges = at::linspace(0.1, 1, borders, at::TensorOptions().dtype(at::kFloat));
    at::Tensor middles = edges.narrow(0, 0, borders - 1).add(edges.narrow(0, 1, borders - 1)).div_(2);
    middles.mul_(std::pow(10.0, decade - 6));
    parts.push_back(middles);
    if (is_signed) parts.push_back(middles.neg());
  }
  return std::get<0>(at::cat(parts).sort());
}

at::Tensor bounds_of(const at::Tensor &map) {
  return map.narrow(0, 0, 255).add(map.narrow(0, 1, 255)).div_(2);
}

/// The map with what finds the nearest value fast: the upper 16 bits of a number leave one border at
/// most between it and its place.
struct Map {
  float values[256], bounds[256];
  uint8_t places[2][0x3F81];  // by sign

  explicit Map(bool is_signed) {
    at::Tensor map = dynamic_map(is_signed), middles = bounds_of(map);
    std::copy_n(static_cast<const float *>(map.const_data_ptr()), 256, values);
    std::copy_n(static_cast<const float *>(middles.const_data_ptr()), 255, bounds);
    bounds[255] = std::numeric_limits<float>::infinity();
    for (uint32_t top = 0; top <= 0x3F80; top++) {
      places[0][top] = place(std::bit_cast<float>(top << 16));
      places[1][top] = place(-std::bit_cast<float>(top << 16 | 0xFFFFu));
    }
  }

  uint8_t place(float x) const {
    return static_cast<uint8_t>(std::lower_bound(bounds, bounds + 255, x) - bounds);
  }

  static const Map &of(bool is_signed) {
    static const Map with(true), without(false);
    return is_signed ? with : without;
  }
};

CT_CLONES void dequantize(const uint8_t *from, float *to, int64_t count, float scale, const float *map) {
  for (int64_t i = 0; i < count; i++) to[i] = map[from[i]] * scale;
}

CT_CLONES float largest_magnitude(const float *values, int64_t count) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; i++) {
    uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return std::bit_cast<float>(largest);
}

CT_CLONES void quantize(const float *from, uint8_t *to, int64_t count, float inverse, const Map &map) {
  for (int64_t i = 0; i < count; i++) {
    float x = from[i] * inverse;
    x = x > 1 ? 1.0f : x;
    x = x >= -1 ? x : -1.0f;  // also what is NaN
    uint32_t bits = std::bit_cast<uint32_t>(x);
    uint8_t place = map.places[bits >> 31][(bits & 0x7FFFFFFFu) >> 16];
    to[i] = static_cast<uint8_t>(place + (x > map.bounds[place]));
  }
}

float quantize_block(const float *from, uint8_t *to, int64_t count, const Map &map) {
  float largest = largest_magnitude(from, count);
  quantize(from, to, count, 1.0f / std::max(largest, 1e-38f), map);
  return largest;
}

CT_CLONES void widen(const uint16_t *from, float *to, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] = from_bfloat16(from[i]);
}

/// To the nearest, of two the even one; what is NaN stays so.
CT_CLONES void narrow(const float *from, uint16_t *to, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = std::bit_cast<uint32_t>(from[i]);
    uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    to[i] = static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded);
  }
}

struct Constants {
  float beta1, rest1, beta2, rest2, epsilon, decay, step_size, root_correction;

  Constants(const ct_update &u, const ct_adam_settings &s) {
    AdamFactors factors(u, s);
    beta1 = static_cast<float>(s.beta1), rest1 = static_cast<float>(1 - s.beta1);
    beta2 = static_cast<float>(s.beta2), rest2 = static_cast<float>(1 - s.beta2);
    epsilon = static_cast<float>(s.epsilon), decay = static_cast<float>(factors.decay);
    step_size = static_cast<float>(-factors.step_size);
    root_correction = static_cast<float>(factors.root_correction);
  }
};

CT_CLONES void update_values(float *w, const float *g, float *m, float *v, int64_t count, Constants c) {
  for (int64_t i = 0; i < count; i++) {
    m[i] = m[i] * c.beta1 + c.rest1 * g[i];
    v[i] = v[i] * c.beta2 + c.rest2 * g[i] * g[i];
    float divisor = __builtin_sqrtf(v[i]) / c.root_correction + c.epsilon;
    w[i] = w[i] * c.decay + c.step_size * m[i] / divisor;
  }
}

/// Values that are 32 bits wide for a while.
struct Values {
  void *data;
  bool is_wide;

  explicit Values(const at::Tensor &t)
      : data(t.mutable_data_ptr()), is_wide(t.scalar_type() == at::kFloat) {
    TORCH_CHECK(is_wide || t.scalar_type() == at::kBFloat16,
                "Adam in 8 bits updates float32 and bfloat16, not ", t.scalar_type());
  }

  float *read(int64_t begin, int64_t count, float *room) const {
    if (is_wide) return static_cast<float *>(data) + begin;
    widen(static_cast<uint16_t *>(data) + begin, room, count);
    return room;
  }

  void write(int64_t begin, int64_t count, const float *values) const {
    if (!is_wide) narrow(values, static_cast<uint16_t *>(data) + begin, count);
  }
};

/// A moment from an element on; blocks begin there.
struct Moment {
  at::Tensor values, scales;
  bool is_signed;

  Moment from(int64_t begin, int64_t count) const {
    return {values.view({-1}).narrow(0, begin, count),
            scales.narrow(0, begin / block, (count + block - 1) / block), is_signed};
  }
};

void update_by_kernel(const at::Tensor &weight, const at::Tensor &gradient, const Moment &mean,
                      const Moment &square, const Constants &constants) {
  const Map &mean_map = Map::of(true), &square_map = Map::of(false);
  Values weights(weight), gradients(gradient);
  auto *means = mean.values.mutable_data_ptr<uint8_t>();
  auto *squares = square.values.mutable_data_ptr<uint8_t>();
  auto *mean_scales = mean.scales.mutable_data_ptr<float>();
  auto *square_scales = square.scales.mutable_data_ptr<float>();
  int64_t total = weight.numel();
  parallel_for((total + block - 1) / block, 16, [&](int64_t first, int64_t last) {
    float w_room[block], g_room[block], m[block], v[block];
    for (int64_t b = first; b < last; b++) {
      int64_t begin = b * block, count = std::min(block, total - begin);
      dequantize(means + begin, m, count, mean_scales[b], mean_map.values);
      dequantize(squares + begin, v, count, square_scales[b], square_map.values);
      float *w = weights.read(begin, count, w_room);
      update_values(w, gradients.read(begin, count, g_room), m, v, count, constants);
      weights.write(begin, count, w);
      mean_scales[b] = quantize_block(m, means + begin, count, mean_map);
      square_scales[b] = quantize_block(v, squares + begin, count, square_map);
    }
  });
}

at::Tensor in_blocks(const at::Tensor &flat) {
  int64_t missing = (block - flat.numel() % block) % block;
  return (missing ? at::constant_pad_nd(flat, {0, missing}) : flat).view({-1, block});
}

at::Tensor dequantized(const Moment &moment) {
  at::Tensor map = dynamic_map(moment.is_signed).to(moment.values.device());
  at::Tensor values = map.index_select(0, moment.values.to(at::kInt));
  return in_blocks(values).mul(moment.scales.unsqueeze(1)).view({-1}).narrow(0, 0, values.numel());
}

void repack(const at::Tensor &values, const Moment &moment) {
  at::Tensor blocks = in_blocks(values);
  moment.scales.copy_(blocks.abs().amax({1}));
  at::Tensor inverse = moment.scales.clamp_min(1e-38).reciprocal_().unsqueeze(1);
  at::Tensor scaled = blocks.mul(inverse).clamp_(-1, 1).view({-1}).narrow(0, 0, values.numel());
  at::Tensor bounds = bounds_of(dynamic_map(moment.is_signed)).to(values.device());
  moment.values.copy_(at::bucketize(scaled, bounds, true));
}

void update_by_operations(const at::Tensor &weight, const at::Tensor &gradient, const Moment &mean,
                          const Moment &square, const ct_update &u, const ct_adam_settings &s) {
  at::Tensor w = weight.to(at::kFloat), m = dequantized(mean), v = dequantized(square);
  adam(w, gradient, m, v, u, s);
  if (!w.is_same(weight)) weight.copy_(w);
  repack(m, mean);
  repack(v, square);
}
}  // namespace

extern "C" {

ct_status ct_dynamic_map(bool is_signed, ct_tensor *out) {
  return guarded([&] { *out = adopt(dynamic_map(is_signed)); });
}

ct_status ct_adam8(const ct_update *u, const ct_adam_settings *s, ct_tensor mean, ct_tensor square,
                   ct_tensor mean_scale, ct_tensor square_scale, bool by_operations) {
  return guarded([&] {
    at::NoGradGuard no_gradients;
    TORCH_CHECK(s->is_decoupled, "Adam in 8 bits decays weights by themselves only");
    Moment first{*borrow(mean), *borrow(mean_scale), true};
    Moment second{*borrow(square), *borrow(square_scale), false};
    Constants constants(*u, *s);
    // The moments are no matter of the master weights.
    update(Update(*u), {}, false, [&](auto &weight, auto &gradient, auto &, int64_t begin) {
      Moment m = first.from(begin, weight.numel()), v = second.from(begin, weight.numel());
      if (by_operations || !weight.is_cpu()) update_by_operations(weight, gradient, m, v, *u, *s);
      else update_by_kernel(weight, gradient, m, v, constants);
    });
  });
}

}  // extern "C"

#endif
