#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "convolution.hpp"

#ifdef CT_HAS_PRODUCTS

#include <memory>

#include "parallel.hpp"

CT_AVX512_BEGIN

namespace ct::avx512 {
namespace {

// Tiles of 2x2 outputs, in the order of rows.
struct Tiles {
  const Convolution &what;
  int64_t input_rows, input_columns;
  int64_t across, down, per_task;

  Tiles(const Convolution &what, int64_t input_rows, int64_t input_columns)
      : what(what), input_rows(input_rows), input_columns(input_columns),
        across((what.columns + 1) / 2), down((what.rows + 1) / 2),
        // What a task makes of its inputs, of 16 bits, and its products, of 32, share a core's cache
        // with the kernels.
        per_task(what.kernels.pairs > 128 ? 24 : 48) {}

  int64_t channels() const { return 2 * what.kernels.pairs; }
  // Rows of whole vectors, not all of which begin in the same places of the cache.
  int64_t width() const { return (channels() + 31) / 32 * 32 + 32; }
  int64_t count() const { return what.pictures * down * across; }
};

struct Place {
  int64_t picture, row, column;  // of the tile's first output
};

Place place(const Tiles &tiles, int64_t tile) {
  return {tile / tiles.across / tiles.down, tile / tiles.across % tiles.down * 2,
          tile % tiles.across * 2};
}

// Rows, then columns: differences and sums of four inputs.
[[gnu::always_inline]] inline void mix_inputs(__m512 (&x)[4]) {
  __m512 a = _mm512_sub_ps(x[0], x[2]), b = _mm512_add_ps(x[1], x[2]);
  __m512 c = _mm512_sub_ps(x[2], x[1]), d = _mm512_sub_ps(x[1], x[3]);
  x[0] = a, x[1] = b, x[2] = c, x[3] = d;
}

// The 16 sums of a tile's inputs, into row `row` of 16 matrices.
void transform_inputs(const Tiles &tiles, int64_t tile, uint16_t *to, int64_t matrix) {
  Place at = place(tiles, tile);
  const Convolution &what = tiles.what;
  const uint16_t *from = what.input + at.picture * what.in.picture + at.row * what.in.row +
                         at.column * what.in.pixel;
  // Sizes that are odd have a last tile that reaches beyond the border, where nothing is.
  __mmask16 inside[4][4];
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      inside[i][j] = at.row + i < tiles.input_rows && at.column + j < tiles.input_columns ? 0xFFFF : 0;
  for (int64_t c = 0; c < tiles.channels(); c += 16) {
    __mmask16 there = first(tiles.channels() - c);
    __m512 x[4][4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      __m512 column[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        column[i] = load(from + i * what.in.row + j * what.in.pixel + c,
                         static_cast<__mmask16>(inside[i][j] & there));
      mix_inputs(column);
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i][j] = column[i];
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      mix_inputs(x[i]);
#pragma unroll
      for (int j = 0; j < 4; ++j) store(to + (4 * i + j) * matrix + c, x[i][j], 0xFFFF);
    }
  }
}

// The products of all tiles with one plane of one block of kernels, [tiles][16 * columns].
void multiply_tiles(const uint16_t *inputs, int64_t width, int64_t tiles, const uint16_t *kernels,
                    int64_t pairs, int columns, float *products) {
  for (int64_t tile = 0; tile < tiles; tile += 6) {
    int rows = static_cast<int>(std::min<int64_t>(6, tiles - tile));
    with_shape(rows, columns, [&]<int ROWS, int COLUMNS>() {
      __m512 sums[ROWS][COLUMNS] = {};
      multiply(sums, inputs + tile * width, width, kernels, pairs);
#pragma unroll
      for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c)
          _mm512_storeu_ps(products + ((tile + r) * COLUMNS + c) * 16, sums[r][c]);
    });
  }
}

// Two outputs of four products.
[[gnu::always_inline]] inline void mix_products(const __m512 (&x)[4], __m512 &a, __m512 &b) {
  a = _mm512_add_ps(x[0], _mm512_add_ps(x[1], x[2]));
  b = _mm512_sub_ps(_mm512_sub_ps(x[1], x[2]), x[3]);
}

// The 2x2 outputs of 16 channels from 16 products that lie `matrix` numbers apart.
[[gnu::always_inline]] inline void outputs_of(const float *products, int64_t matrix,
                                              __m512 (&out)[2][2]) {
  __m512 half[2][4];
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    __m512 x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = _mm512_loadu_ps(products + (4 * i + j) * matrix);
    mix_products(x, half[0][j], half[1][j]);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) mix_products(half[i], out[i][0], out[i][1]);
}

void write_outputs(const Tiles &tiles, int64_t tile, const float *products, int64_t matrix,
                   int64_t block) {
  Place at = place(tiles, tile);
  const Convolution &what = tiles.what;
  for (int64_t c = 0; c < what.kernels.columns(block); ++c) {
    int64_t channel = block * panel + 16 * c;
    __mmask16 which = first(what.kernels.outputs - channel);
    __m512 bias = _mm512_loadu_ps(what.bias + channel);
    __m512 out[2][2];
    outputs_of(products + 16 * c, matrix, out);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if (at.row + i >= what.rows || at.column + j >= what.columns) continue;
        int64_t to = at.picture * what.out.picture + (at.row + i) * what.out.row +
                     (at.column + j) * what.out.pixel + channel;
        __m512 sum = _mm512_add_ps(out[i][j], bias);
        if (what.added) sum = _mm512_add_ps(sum, load(what.added + to, which));
        store(what.output + to, sum, which);
      }
    }
  }
}

void convolve_tiles(const Tiles &tiles, int64_t begin, int64_t end, uint16_t *inputs,
                    float *products) {
  const Kernels &kernels = tiles.what.kernels;
  int64_t count = end - begin, width = tiles.width();
  for (int64_t i = 0; i < count; ++i)
    transform_inputs(tiles, begin + i, inputs + i * width, count * width);
  for (int64_t block = 0; block < kernels.blocks(); ++block) {
    int columns = kernels.columns(block);
    int64_t matrix = count * 16 * columns;
    for (int64_t plane = 0; plane < 16; ++plane)
      multiply_tiles(inputs + plane * count * width, width, count, kernels.plane(block, plane),
                     kernels.pairs, columns, products + plane * matrix);
    for (int64_t i = 0; i < count; ++i)
      write_outputs(tiles, begin + i, products + i * 16 * columns, matrix, block);
  }
}

}  // namespace

void convolve_by_winograd(const Convolution &what, int64_t input_rows, int64_t input_columns) {
  Tiles tiles(what, input_rows, input_columns);
  int64_t tasks = (tiles.count() + tiles.per_task - 1) / tiles.per_task;
  parallel_tasks(
      tasks,
      [&] {
        return std::pair(std::make_unique_for_overwrite<uint16_t[]>(
                             static_cast<size_t>(16 * tiles.per_task * tiles.width())),
                         std::make_unique_for_overwrite<float[]>(
                             static_cast<size_t>(16 * tiles.per_task * panel)));
      },
      [&](int64_t task, auto &room) {
        int64_t begin = task * tiles.per_task;
        convolve_tiles(tiles, begin, std::min(begin + tiles.per_task, tiles.count()),
                       room.first.get(), room.second.get());
      });
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
#endif
