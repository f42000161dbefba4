// Attention without the attention matrix: for some queries at a time, keys are looked at some at a
// time, with what was added up so far scaled down whenever a larger score is met.
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>
#include <memory>
#include <new>

#include "avx512.hpp"
#include "parallel.hpp"
#include "operation_counts.hpp"

using namespace ct;

#ifdef CT_HAS_PRODUCTS

namespace {

// Keys looked at together: their part of keys and values stays in a core's second cache.
constexpr int64_t tile_keys = 512;
// Packed keys and values of all heads that are computed together.
constexpr int64_t most_packed_bytes = 48 << 20;
// Numbers of a row.
constexpr int64_t most_size = 512;

struct Source {
  const uint16_t *data;
  int64_t batch, head, row;  // strides

  explicit Source(const at::Tensor &t)
      : data(static_cast<const uint16_t *>(t.const_data_ptr())),
        batch(t.stride(0)), head(t.stride(1)), row(t.stride(2)) {}
  const uint16_t *at(int64_t b, int64_t h, int64_t r) const {
    return data + b * batch + h * head + r * row;
  }
};

// The keys that a query may look at.
struct Span {
  int64_t begin, end;
};

struct Attention {
  Source q, k, v;
  uint16_t *out;
  Source out_place;
  int64_t batch, heads, shared, queries, keys, size;
  bool causal;
  const int64_t *words;

  int64_t key_heads() const { return heads / shared; }
  int64_t key_panels() const { return (keys + panel_columns - 1) / panel_columns; }
  int64_t value_panels() const { return (size + panel_columns - 1) / panel_columns; }
  int64_t pairs() const { return size / 2; }
  // Queries taken at a time, whole blocks of rows; of wide heads fewer, which need more room each.
  int64_t tile_queries() const { return size > 128 ? 48 : 96; }
  int64_t tile_keys_here() const { return size > 128 ? tile_keys / 2 : tile_keys; }

  // The packed words of a head's keys, and of its values.
  int64_t key_words() const { return key_panels() * pairs() * panel_columns; }
  int64_t value_words() const { return value_panels() * key_panels() * panel_columns / 2 * panel_columns; }

  Span span(int64_t b) const {
    if (!words) return {0, keys};
    return {std::max<int64_t>(words[2 * b], 0), std::min(words[2 * b + 1], keys)};
  }
};

// Memory of one thread, for the queries that it computes.
struct Scratch {
  alignas(64) uint16_t queries[48 * most_size];
  alignas(64) float outputs[48 * most_size];
  alignas(64) float scores[panel_rows * tile_keys];
  alignas(64) uint16_t weights[panel_rows * tile_keys];
  float largest[96], sums[96];
};

Scratch &scratch() {
  static thread_local std::unique_ptr<Scratch> own(new Scratch);
  return *own;
}

CT_AVX512_BEGIN

// --- Packing -------------------------------------------------------------------------------------

// 64 keys as a panel of pairs along the head: lines of 64 words, one of each key.
void pack_keys(const Attention &a, int64_t b, int64_t head, int64_t panel, uint32_t *to) {
  int64_t pairs = a.pairs();
  for (int64_t group = 0; group < panel_columns; group += 16) {
    for (int64_t pair = 0; pair < pairs; pair += 16) {
      __m512i rows[16];
#pragma unroll
      for (int i = 0; i < 16; i++) {
        int64_t key = panel * panel_columns + group + i;
        __mmask16 mask = key < a.keys ? avx512::first(pairs - pair) : 0;
        rows[i] = _mm512_maskz_loadu_epi32(mask, mask ? a.k.at(b, head, key) + 2 * pair : nullptr);
      }
      transpose_words(rows, to + pair * panel_columns + group, panel_columns,
                      static_cast<int>(std::min<int64_t>(16, pairs - pair)));
    }
  }
}

// 64 values as lines of pairs of keys, in panels of 64 values of the head.
void pack_values(const Attention &a, int64_t b, int64_t head, int64_t panel, uint32_t *to) {
  int64_t lines = a.key_panels() * panel_columns / 2;
  for (int64_t line = 0; line < panel_columns / 2; line++) {
    int64_t key = panel * panel_columns + 2 * line;
    const uint16_t *low = key < a.keys ? a.v.at(b, head, key) : nullptr;
    const uint16_t *high = key + 1 < a.keys ? a.v.at(b, head, key + 1) : nullptr;
    for (int64_t column = 0; column < a.value_panels() * panel_columns; column += 16) {
      __mmask16 mask = avx512::first(a.size - column);
      __m256i x = _mm256_maskz_loadu_epi16(low ? mask : 0, low + (low ? column : 0));
      __m256i y = _mm256_maskz_loadu_epi16(high ? mask : 0, high + (high ? column : 0));
      __m512i both = _mm512_or_si512(_mm512_cvtepu16_epi32(x),
                                     _mm512_slli_epi32(_mm512_cvtepu16_epi32(y), 16));
      int64_t place = (column / panel_columns * lines + panel * panel_columns / 2 + line);
      _mm512_store_si512(to + place * panel_columns + column % panel_columns, both);
    }
  }
}

// --- Six queries and a tile of keys ----------------------------------------------------------------

// c[6, 64] = a[6, K] · panel, or that added to `c`; pairs is K/2, and strides are in numbers.
[[gnu::always_inline]] inline void multiply_panel(const uint16_t *a, int64_t a_stride,
                                                  const uint32_t *panel, int64_t pairs, float *c,
                                                  int64_t c_stride, bool adds) {
  __m512 sums[panel_rows][4];
#pragma unroll
  for (int row = 0; row < panel_rows; row++)
#pragma unroll
    for (int i = 0; i < 4; i++)
      sums[row][i] = adds ? _mm512_loadu_ps(c + row * c_stride + 16 * i) : _mm512_setzero_ps();
  avx512::multiply(sums, a, a_stride, reinterpret_cast<const uint16_t *>(panel), pairs);
#pragma unroll
  for (int row = 0; row < panel_rows; row++)
#pragma unroll
    for (int i = 0; i < 4; i++) _mm512_storeu_ps(c + row * c_stride + 16 * i, sums[row][i]);
}

// Scores of keys that a query may not look at become -inf.
void forbid(float *scores, int64_t first, int64_t count, Span allowed) {
  __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  auto begin = _mm512_set1_epi32(static_cast<int>(allowed.begin - first));
  auto end = _mm512_set1_epi32(static_cast<int>(allowed.end - first));
  for (int64_t i = 0; i < count; i += 16) {
    __m512i key = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(i)));
    __mmask16 mask = _mm512_cmpge_epi32_mask(key, begin) & _mm512_cmplt_epi32_mask(key, end);
    __m512 score = _mm512_load_ps(scores + i);
    _mm512_store_ps(scores + i, _mm512_mask_mov_ps(
        _mm512_set1_ps(-std::numeric_limits<float>::infinity()), mask, score));
  }
}

[[gnu::always_inline]] inline float largest_of(const float *scores, int64_t count) {
  __m512 one = _mm512_load_ps(scores), other = _mm512_load_ps(scores + 16);
  for (int64_t i = 32; i < count; i += 32) {
    one = _mm512_max_ps(one, _mm512_load_ps(scores + i));
    other = _mm512_max_ps(other, _mm512_load_ps(scores + i + 16));
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(one, other));
}

// Writes 2^(score · scale - largest) in bfloat16 and gives the sum of what was not yet rounded.
[[gnu::always_inline]] inline float weigh(const float *scores, int64_t count, float scale,
                                          float largest, uint16_t *weights) {
  __m512 factor = _mm512_set1_ps(scale), most = _mm512_set1_ps(largest), sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += 32) {
    __m512 low = exp2(_mm512_fmsub_ps(_mm512_load_ps(scores + i), factor, most));
    __m512 high = exp2(_mm512_fmsub_ps(_mm512_load_ps(scores + i + 16), factor, most));
    // One after the other: keys have the same sum wherever they start, by multiples of sixteen.
    sum = _mm512_add_ps(_mm512_add_ps(sum, low), high);
    _mm512_store_si512(weights + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
  return _mm512_reduce_add_ps(sum);
}

[[gnu::always_inline]] inline void scale_row(float *row, int64_t count, float factor) {
  __m512 by = _mm512_set1_ps(factor);
  for (int64_t i = 0; i < count; i += 16)
    _mm512_store_ps(row + i, _mm512_mul_ps(_mm512_load_ps(row + i), by));
}

// Turns scores of one query into weights, and scales down what was summed with a smaller maximum.
[[gnu::always_inline]] inline void soften(const float *scores, int64_t count, float scale,
                                          float *largest, float *sum, float *outputs,
                                          int64_t width, uint16_t *weights) {
  constexpr float nothing = -std::numeric_limits<float>::infinity();
  float here = scale * largest_of(scores, count);
  // What is NaN has to stay in sight.
  float most = here > *largest || here != here ? here : *largest;
  if (most > *largest && *largest > nothing) {
    float factor = std::exp2(*largest - most);
    *sum *= factor;
    scale_row(outputs, width, factor);
  }
  *largest = most;
  // Where nothing may be looked at, weights are 0 all the same.
  *sum += weigh(scores, count, scale, most == nothing ? 0 : most, weights);
}

// --- A tile of queries -----------------------------------------------------------------------------

struct Tile {
  const Attention &a;
  const uint32_t *keys, *values;  // packed
  int64_t b, head, first, count;
  Scratch &s;

  int64_t width() const { return a.value_panels() * panel_columns; }

  // Rows lie together, with zeros behind the last: rows far apart would share places in the cache.
  void copy_queries() const {
    int64_t rows = (count + panel_rows - 1) / panel_rows * panel_rows;
    for (int64_t row = 0; row < count; row++)
      std::memcpy(s.queries + row * a.size, a.q.at(b, head, first + row),
                  static_cast<size_t>(a.size) * 2);
    std::memset(s.queries + count * a.size, 0, static_cast<size_t>((rows - count) * a.size) * 2);
    std::memset(s.outputs, 0, static_cast<size_t>(rows * width()) * sizeof(float));
    std::fill_n(s.largest, rows, -std::numeric_limits<float>::infinity());
    std::fill_n(s.sums, rows, 0.0f);
  }

  Span allowed(int64_t row, Span words) const {
    if (a.causal) words.end = std::min(words.end, first + row + 1);
    return words;
  }

  // Six rows and the keys from `key` on.
  void look(int64_t row, int64_t key, Span words) const {
    Span most = allowed(row + panel_rows - 1, words);
    int64_t count = std::min(a.tile_keys_here(), most.end - key);
    if (count <= 0) return;
    int64_t panels = (count + panel_columns - 1) / panel_columns;
    int64_t padded = panels * panel_columns;
    for (int64_t panel = 0; panel < panels; panel++)
      multiply_panel(s.queries + row * a.size, a.size,
                     keys + (key / panel_columns + panel) * a.pairs() * panel_columns, a.pairs(),
                     s.scores + panel * panel_columns, tile_keys, false);
    float scale = 1.44269504f / std::sqrt(static_cast<float>(a.size));
    for (int64_t i = 0; i < panel_rows; i++) {
      Span span = allowed(row + i, words);
      float *scores = s.scores + i * tile_keys;
      if (span.begin > key || span.end < key + padded) forbid(scores, key, padded, span);
      soften(scores, padded, scale, s.largest + row + i, s.sums + row + i,
             s.outputs + (row + i) * width(), width(), s.weights + i * tile_keys);
    }
    int64_t lines = a.key_panels() * panel_columns / 2;
    for (int64_t panel = 0; panel < a.value_panels(); panel++)
      multiply_panel(s.weights, tile_keys, values + (panel * lines + key / 2) * panel_columns,
                     padded / 2, s.outputs + row * width() + panel * panel_columns, width(), true);
  }

  void write() const {
    for (int64_t row = 0; row < count; row++) {
      uint16_t *to = a.out + (a.out_place.at(b, head, first + row) - a.out_place.data);
      // A query that looked at nothing gives zeros.
      float by = s.sums[row] == 0 ? 0 : 1 / s.sums[row];
      for (int64_t i = 0; i < a.size; i += 16) {
        __m512 sum = _mm512_mul_ps(_mm512_load_ps(s.outputs + row * width() + i), _mm512_set1_ps(by));
        avx512::store(to + i, sum, avx512::first(a.size - i));
      }
    }
  }

  void compute() const {
    copy_queries();
    Span words = a.span(b);
    int64_t end = allowed(count - 1, words).end;
    int64_t begin = words.begin / panel_columns * panel_columns;
    for (int64_t key = begin; key < end; key += a.tile_keys_here())
      for (int64_t row = 0; row < count; row += panel_rows) look(row, key, words);
    write();
  }
};

CT_AVX512_END

// Heads of keys `begin` ..< `end` of the batch, and all queries that look at them.
void attend(const Attention &a, int64_t begin, int64_t end, uint32_t *packed) {
  int64_t panels = a.key_panels(), words = a.key_words() + a.value_words();
  parallel_tasks((end - begin) * panels, [&](int64_t task) {
    int64_t number = task / panels, panel = task % panels;
    int64_t b = (begin + number) / a.key_heads(), head = (begin + number) % a.key_heads();
    uint32_t *keys = packed + number * words;
    pack_keys(a, b, head, panel, keys + panel * a.pairs() * panel_columns);
    pack_values(a, b, head, panel, keys + a.key_words());
  });
  int64_t tiles = (a.queries + a.tile_queries() - 1) / a.tile_queries();
  parallel_tasks((end - begin) * a.shared * tiles, [&](int64_t task) {
    int64_t number = task / tiles / a.shared, first = task % tiles * a.tile_queries();
    int64_t b = (begin + number) / a.key_heads(), key_head = (begin + number) % a.key_heads();
    const uint32_t *keys = packed + number * words;
    Tile{a, keys, keys + a.key_words(), b, key_head * a.shared + task / tiles % a.shared, first,
         std::min(a.tile_queries(), a.queries - first), scratch()}
        .compute();
  });
}

}  // namespace

#endif

extern "C" {

ct_status ct_kernel_attention(ct_tensor q, ct_tensor k, ct_tensor v, bool causal, const int64_t *words,
                              ct_tensor out) {
  return guarded([&] {
#ifdef CT_HAS_PRODUCTS
    auto query = borrow(q), key = borrow(k), target = borrow(out);
    Attention a{Source(query), Source(key), Source(borrow(v)),
                static_cast<uint16_t *>(target->data_ptr()), Source(target),
                query->size(0), query->size(1), query->size(1) / key->size(1), query->size(2),
                key->size(2), query->size(3), causal, words};
    if (query->numel() == 0) return;
    count_attention(query, key, borrow(v), causal);
    int64_t bytes = 4 * (a.key_words() + a.value_words()), all = a.batch * a.key_heads();
    int64_t together = std::clamp<int64_t>(most_packed_bytes / bytes, 1, all);
    at::Tensor packed = at::empty({together * bytes}, query->options().dtype(at::kByte));
    for (int64_t head = 0; head < all; head += together)
      attend(a, head, std::min(head + together, all), static_cast<uint32_t *>(packed.data_ptr()));
#else
    TORCH_CHECK(false, "this processor has no kernel for attention");
#endif
  });
}

}  // extern "C"

#endif
