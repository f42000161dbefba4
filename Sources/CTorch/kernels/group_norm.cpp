#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "group_norm.hpp"

#ifdef CT_HAS_PRODUCTS

#include <algorithm>
#include <vector>

#include "parallel.hpp"

CT_AVX512_BEGIN

namespace ct::avx512 {
namespace {

// Numbers of a task, of 16 bits.
constexpr int64_t task_numbers = 128 << 10;

// Pixels that are passed for some channels before the next channels have their turn, so that memory
// is read nearly in order.
constexpr int64_t pixels_at_once = 16;

// Vectors of channels whose sums are held in registers.
constexpr int vectors = 8;

// Adds 16 * `vectors` channels, or those that are left, of some pixels to their sums.
void sum_channels(const uint16_t *from, int64_t pixels, int64_t channels, int64_t channel,
                  float *sums, float *squares) {
  __m512 sum[vectors], square[vectors];
  __mmask16 there[vectors];
#pragma unroll
  for (int i = 0; i < vectors; ++i) {
    there[i] = first(channels - channel - 16 * i);
    sum[i] = _mm512_maskz_loadu_ps(there[i], sums + channel + 16 * i);
    square[i] = _mm512_maskz_loadu_ps(there[i], squares + channel + 16 * i);
  }
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
#pragma unroll
    for (int i = 0; i < vectors; ++i) {
      __m512 x = load(from + pixel * channels + channel + 16 * i, there[i]);
      sum[i] = _mm512_add_ps(sum[i], x);
      square[i] = _mm512_fmadd_ps(x, x, square[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < vectors; ++i) {
    _mm512_mask_storeu_ps(sums + channel + 16 * i, there[i], sum[i]);
    _mm512_mask_storeu_ps(squares + channel + 16 * i, there[i], square[i]);
  }
}

void sum_row(const uint16_t *row, const Map &map, int64_t groups, std::vector<float> &room,
             double *sums) {
  std::fill(room.begin(), room.end(), 0.0f);
  float *sum = room.data(), *square = sum + map.channels;
  for (int64_t pixel = 0; pixel < map.columns; pixel += pixels_at_once) {
    int64_t pixels = std::min(pixels_at_once, map.columns - pixel);
    for (int64_t channel = 0; channel < map.channels; channel += 16 * vectors)
      sum_channels(row + pixel * map.channels, pixels, map.channels, channel, sum, square);
  }
  int64_t each = map.channels / groups;
  for (int64_t group = 0; group < groups; ++group) {
    double both[2] = {};
    for (int64_t c = group * each; c < (group + 1) * each; ++c) {
      both[0] += static_cast<double>(sum[c]);
      both[1] += static_cast<double>(square[c]);
    }
    std::copy_n(both, 2, sums + 2 * group);
  }
}

template <bool CHANGES, bool ACTIVATES>
void write_pixels(const uint16_t *from, int64_t pixels, int64_t channels, int64_t written,
                  const float *scale, const float *shift, uint16_t *to) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, from += channels, to += written) {
    for (int64_t c = 0; c < written; c += 16) {
      __m512 x = load(from + c, first(channels - c));
      if constexpr (CHANGES)
        x = _mm512_fmadd_ps(x, _mm512_loadu_ps(scale + c), _mm512_loadu_ps(shift + c));
      if constexpr (ACTIVATES) x = silu(x);
      store(to + c, x, first(written - c));
    }
  }
}

void write_row(const uint16_t *from, const Map &map, const Affine *affine, int64_t image,
               uint16_t *to) {
  int64_t written = (map.channels + 1) / 2 * 2;
  int64_t place = image * ((map.channels + 15) / 16 * 16);
  if (!affine)
    write_pixels<false, false>(from, map.columns, map.channels, written, nullptr, nullptr, to);
  else if (affine->activates)
    write_pixels<true, true>(from, map.columns, map.channels, written, affine->scale + place,
                             affine->shift + place, to);
  else
    write_pixels<true, false>(from, map.columns, map.channels, written, affine->scale + place,
                              affine->shift + place, to);
}

// Calls `body` for every row, some of them in one task.
template <class F>
void for_each_row(int64_t rows, int64_t numbers, F body) {
  int64_t together = std::max<int64_t>(1, task_numbers / std::max<int64_t>(1, numbers));
  parallel_tasks((rows + together - 1) / together, [&](int64_t task) {
    for (int64_t row = task * together; row < std::min(rows, (task + 1) * together); ++row)
      body(row);
  });
}

}  // namespace

void group_sums(const uint16_t *x, const Map &map, int64_t groups, double *sums) {
  int64_t size = map.columns * map.channels;
  for_each_row(map.images * map.rows, size, [&](int64_t row) {
    std::vector<float> room(static_cast<size_t>(2 * map.channels));
    sum_row(x + row * size, map, groups, room, sums + row * groups * 2);
  });
}

void write_bordered(const uint16_t *x, const Map &map, const Border &border, const Affine *affine,
                    uint16_t *out) {
  int64_t written = (map.channels + 1) / 2 * 2;
  int64_t rows = map.rows + border.top + border.bottom;
  int64_t size = (map.columns + border.left + border.right) * written;
  for_each_row(map.images * rows, size, [&](int64_t row) {
    int64_t image = row / rows, from = row % rows - border.top;
    uint16_t *to = out + row * size;
    if (from < 0 || from >= map.rows) return void(std::fill_n(to, size, uint16_t{0}));
    std::fill_n(to, border.left * written, uint16_t{0});
    std::fill_n(to + size - border.right * written, border.right * written, uint16_t{0});
    write_row(x + (image * map.rows + from) * map.columns * map.channels, map, affine, image,
              to + border.left * written);
  });
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
#endif
