#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <cmath>

#include "clones.hpp"
#include "parallel.hpp"
#include "rows.hpp"
#include "vectors.hpp"

#if defined(__clang__)
#pragma clang fp contract(off)
#endif

using namespace ct;

namespace {

// About so many values are worth a thread's while.
constexpr int64_t worthwhile = 1 << 15;

template <class Job>
void for_rows(const Job &job, void (*compute)(const Job &, int64_t, int64_t)) {
  int64_t grain = worthwhile / std::max<int64_t>(job.out.width, 1) + 1;
  parallel_for(job.out.count, grain,
               [&](int64_t begin, int64_t end) { compute(job, begin, end); });
}

CT_VECTOR_INLINE float sum_of_squares(const uint16_t *x, int64_t width, float mean) {
  Floats squares{}, value;
  for (int64_t i = 0; i < width; i += lanes) {
    load(x + i, value);
    value -= mean;
    squares += value * value;
  }
  return sum(squares);
}

// --- Norms ---------------------------------------------------------------------------------------

struct Norm {
  Rows x, out;
  const uint16_t *weight;
  double epsilon;
};

CT_VECTOR_INLINE float inverse_root(float sum, int64_t width, double epsilon) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(sum) / static_cast<double>(width) + epsilon));
}

CT_CLONES void normalize(const Norm &job, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const uint16_t *x = job.x[row];
    uint16_t *out = job.out[row];
    float scale = inverse_root(sum_of_squares(x, job.out.width, 0), job.out.width, job.epsilon);
    for (int64_t i = 0; i < job.out.width; i += lanes) {
      Floats value, weight;
      load(x + i, value);
      load(job.weight + i, weight);
      store(value * scale * weight, out + i);
    }
  }
}

struct Modulation {
  Rows x, shift, scale, out;
  double epsilon;
};

CT_CLONES void modulate(const Modulation &job, int64_t begin, int64_t end) {
  int64_t width = job.out.width;
  for (int64_t row = begin; row < end; row++) {
    const uint16_t *x = job.x[row], *shift = job.shift[row], *scale = job.scale[row];
    uint16_t *out = job.out[row];
    Floats total{}, value, factor, offset;
    for (int64_t i = 0; i < width; i += lanes) {
      load(x + i, value);
      total += value;
    }
    float mean = sum(total) / static_cast<float>(width);
    float inverse = inverse_root(sum_of_squares(x, width, mean), width, job.epsilon);
    for (int64_t i = 0; i < width; i += lanes) {
      load(x + i, value);
      load(scale + i, factor);
      load(shift + i, offset);
      store((value - mean) * inverse * (factor + 1.0f) + offset, out + i);
    }
  }
}

// --- Gates ---------------------------------------------------------------------------------------

struct Gate {
  Rows gate, up, out;
};

CT_CLONES void gate_up(const Gate &job, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const uint16_t *gate = job.gate[row], *up = job.up[row];
    uint16_t *out = job.out[row];
    for (int64_t i = 0; i < job.out.width; i += lanes) {
      Floats x, y, activated;
      load(gate + i, x);
      load(up + i, y);
      silu(x, activated);
      store(activated * y, out + i);
    }
  }
}

struct Residual {
  Rows x, gate, y, out;
};

CT_CLONES void add_gated(const Residual &job, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    const uint16_t *x = job.x[row], *gate = job.gate[row], *y = job.y[row];
    uint16_t *out = job.out[row];
    for (int64_t i = 0; i < job.out.width; i += lanes) {
      Floats value, factor, added;
      load(x + i, value);
      load(gate + i, factor);
      load(y + i, added);
      store(value + factor * added, out + i);
    }
  }
}

// --- Rotations -----------------------------------------------------------------------------------

// Heads [B, T, H, d] with a table of T rows.
struct Rotation {
  const at::Tensor &x, &out;
  const uint16_t *weight;  // NULL: heads are rotated as they are
  double epsilon;
  const float *pairs;               // [T, d]: cosine and sine of each pair
  const uint16_t *cosines, *sines;  // [T, d]
};

// A head's values times its weight, over their root mean square.
CT_VECTOR_INLINE void load_normed(const Rotation &job, const uint16_t *x, float scale, int64_t i,
                                  Floats &to) {
  load(x + i, to);
  if (!job.weight) return;
  Floats weight;
  load(job.weight + i, weight);
  to = to * scale * weight;
}

// Neighbors are rotated against each other.
CT_VECTOR_INLINE void rotate_pairs(const Rotation &job, const uint16_t *x, float scale, int64_t token,
                                 int64_t size, uint16_t *out) {
  const float *table = job.pairs + token * size;
  for (int64_t i = 0; i < size; i += lanes) {
    Floats value, both;
    load_normed(job, x, scale, i, value);
    load(table + i, both);
    Floats swapped = __builtin_shufflevector(value, value, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13,
                                             12, 15, 14);
    Floats cosine = __builtin_shufflevector(both, both, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12,
                                            14, 14);
    Floats sine = __builtin_shufflevector(both, -both, 17, 1, 19, 3, 21, 5, 23, 7, 25, 9, 27, 11, 29,
                                          13, 31, 15);
    store(value * cosine + swapped * sine, out + i);
  }
}

// The two halves are rotated against each other.
CT_VECTOR_INLINE void rotate_halves(const Rotation &job, const uint16_t *x, float scale, int64_t token,
                                  int64_t size, uint16_t *out) {
  int64_t half = size / 2;
  const uint16_t *cosines = job.cosines + token * size, *sines = job.sines + token * size;
  for (int64_t i = 0; i < half; i += lanes) {
    Floats low, high, cosine, sine;
    load_normed(job, x, scale, i, low);
    load_normed(job, x, scale, half + i, high);
    load(cosines + i, cosine);
    load(sines + i, sine);
    store(low * cosine - high * sine, out + i);
    load(cosines + half + i, cosine);
    load(sines + half + i, sine);
    store(high * cosine + low * sine, out + half + i);
  }
}

CT_CLONES void rotate(const Rotation &job, int64_t begin, int64_t end) {
  const at::Tensor &x = job.x, &out = job.out;
  int64_t tokens = x.size(1), heads = x.size(2), size = x.size(3);
  auto from = static_cast<const uint16_t *>(x.const_data_ptr());
  auto to = static_cast<uint16_t *>(out.data_ptr());
  int64_t from_strides[] = {x.stride(0), x.stride(1), x.stride(2)};
  int64_t to_strides[] = {out.stride(0), out.stride(1), out.stride(2)};
  for (int64_t row = begin; row < end; row++) {
    int64_t batch = row / tokens, token = row % tokens;
    const uint16_t *source = from + batch * from_strides[0] + token * from_strides[1];
    uint16_t *target = to + batch * to_strides[0] + token * to_strides[1];
    for (int64_t head = 0; head < heads; head++) {
      const uint16_t *one = source + head * from_strides[2];
      float scale = job.weight ? inverse_root(sum_of_squares(one, size, 0), size, job.epsilon) : 1;
      if (job.pairs) {
        rotate_pairs(job, one, scale, token, size, target + head * to_strides[2]);
      } else {
        rotate_halves(job, one, scale, token, size, target + head * to_strides[2]);
      }
    }
  }
}

void rotate_all(const Rotation &job) {
  int64_t width = job.x.size(2) * job.x.size(3);
  parallel_for(job.x.size(0) * job.x.size(1), worthwhile / std::max<int64_t>(width, 1) + 1,
               [&](int64_t begin, int64_t end) { rotate(job, begin, end); });
}

const uint16_t *numbers(ct_tensor t) {
  return t ? static_cast<const uint16_t *>(borrow(t)->const_data_ptr()) : nullptr;
}

Rows rows(ct_tensor t, ct_tensor like) { return Rows(*borrow(t), borrow(like)->sizes()); }

}  // namespace

extern "C" {

ct_status ct_kernel_norm(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor out) {
  return guarded(
      [&] { for_rows(Norm{rows(x, out), rows(out, out), numbers(weight), epsilon}, normalize); });
}

ct_status ct_kernel_modulation(ct_tensor x, ct_tensor shift, ct_tensor scale, double epsilon,
                               ct_tensor out) {
  return guarded([&] {
    for_rows(Modulation{rows(x, out), rows(shift, out), rows(scale, out), rows(out, out), epsilon},
             modulate);
  });
}

ct_status ct_kernel_gate(ct_tensor gate, ct_tensor up, ct_tensor out) {
  return guarded([&] { for_rows(Gate{rows(gate, out), rows(up, out), rows(out, out)}, gate_up); });
}

ct_status ct_kernel_residual(ct_tensor x, ct_tensor gate, ct_tensor y, ct_tensor out) {
  return guarded([&] {
    for_rows(Residual{rows(x, out), rows(gate, out), rows(y, out), rows(out, out)}, add_gated);
  });
}

ct_status ct_kernel_rotate_pairs(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor rotation,
                                 ct_tensor out) {
  return guarded([&] {
    auto given = borrow(rotation);
    TORCH_CHECK(is_on_cpu(given) && given->scalar_type() == at::kComplexFloat &&
                    given->is_contiguous() && given->numel() * 2 == borrow(x)->size(1) * borrow(x)->size(3),
                "a rotary table of another size");
    auto table = static_cast<const float *>(given->const_data_ptr());
    rotate_all({borrow(x), borrow(out), numbers(weight), epsilon, table, nullptr, nullptr});
  });
}

ct_status ct_kernel_rotate_halves(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor cosines,
                                  ct_tensor sines, ct_tensor out) {
  return guarded([&] {
    for (ct_tensor table : {cosines, sines})
      TORCH_CHECK(is_on_cpu(borrow(table)) && borrow(table)->scalar_type() == at::kBFloat16 &&
                      borrow(table)->is_contiguous() &&
                      borrow(table)->numel() == borrow(x)->size(1) * borrow(x)->size(3),
                  "a rotary table of another size");
    rotate_all({borrow(x), borrow(out), numbers(weight), epsilon, nullptr, numbers(cosines),
                numbers(sines)});
  });
}

}  // extern "C"

#endif
