// Convolutions by fewer products, of sums of inputs with sums of kernels.
#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "convolution.hpp"

#ifdef CT_HAS_PRODUCTS

#include <memory>
#include <utility>

#include "parallel.hpp"

CT_AVX512_BEGIN

namespace ct::avx512 {
namespace {

// Two outputs side by side from four inputs and three places of a kernel, by four products.
struct Winograd {
  static constexpr int side = 4, step = 2;

  [[gnu::always_inline]] static void mix_inputs(__m512 (&x)[4]) {
    __m512 a = _mm512_sub_ps(x[0], x[2]), b = _mm512_add_ps(x[1], x[2]);
    __m512 c = _mm512_sub_ps(x[2], x[1]), d = _mm512_sub_ps(x[1], x[3]);
    x[0] = a, x[1] = b, x[2] = c, x[3] = d;
  }
  [[gnu::always_inline]] static void mix_products(const __m512 (&x)[4], __m512 &a, __m512 &b) {
    a = _mm512_add_ps(x[0], _mm512_add_ps(x[1], x[2]));
    b = _mm512_sub_ps(_mm512_sub_ps(x[1], x[2]), x[3]);
  }
};

// The two outputs where a pixel is repeated, from it and its neighbors, by three products: all of
// the kernel times the pixel, and what the outer places see of another pixel times the difference.
struct Upsampling {
  static constexpr int side = 3, step = 1;

  [[gnu::always_inline]] static void mix_inputs(__m512 (&x)[3]) {
    __m512 before = _mm512_sub_ps(x[0], x[1]), behind = _mm512_sub_ps(x[1], x[2]);
    x[0] = x[1], x[1] = before, x[2] = behind;
  }
  [[gnu::always_inline]] static void mix_products(const __m512 (&x)[3], __m512 &a, __m512 &b) {
    a = _mm512_add_ps(x[0], x[1]);
    b = _mm512_sub_ps(x[0], x[2]);
  }
};

// Tiles of 2x2 outputs, in the order of rows; each looks at side x side inputs that begin `step`
// pixels behind those of the tile before.
template <class Scheme>
struct Tiles {
  static constexpr int side = Scheme::side, planes = side * side;

  const Convolution &what;
  int64_t input_rows, input_columns;
  int64_t across, down, per_task;

  Tiles(const Convolution &what, int64_t input_rows, int64_t input_columns)
      : what(what), input_rows(input_rows), input_columns(input_columns),
        across((what.columns + 1) / 2), down((what.rows + 1) / 2),
        // What a task makes of its inputs, of 16 bits, and its products, of 32, share a core's cache
        // with the kernels.
        per_task((what.kernels.pairs > 128 ? 24 : 48) * 16 / planes / 6 * 6) {}

  int64_t channels() const { return 2 * what.kernels.pairs; }
  // Rows of whole vectors, not all of which begin in the same places of the cache.
  int64_t width() const { return (channels() + 31) / 32 * 32 + 32; }
  int64_t count() const { return what.images * down * across; }

  // The first number of a tile in a map that has `step` pixels for each.
  int64_t place(int64_t tile, const Steps &steps, int64_t step) const {
    return tile / across / down * steps.image + row(tile) * step * steps.row +
           column(tile) * step * steps.pixel;
  }
  int64_t row(int64_t tile) const { return tile / across % down; }
  int64_t column(int64_t tile) const { return tile % across; }
};

// The sums of a tile's inputs, into row `row` of as many matrices.
template <class Scheme>
void transform_inputs(const Tiles<Scheme> &tiles, int64_t tile, uint16_t *to, int64_t matrix) {
  constexpr int side = Scheme::side;
  const Steps &in = tiles.what.in;
  const uint16_t *from = tiles.what.input + tiles.place(tile, in, Scheme::step);
  int64_t rows = tiles.input_rows - tiles.row(tile) * Scheme::step;
  int64_t columns = tiles.input_columns - tiles.column(tile) * Scheme::step;
  for (int64_t c = 0; c < tiles.channels(); c += 16) {
    __mmask16 there = first(tiles.channels() - c);
    __m512 x[side][side];
#pragma unroll
    for (int j = 0; j < side; ++j) {
      __m512 column[side];
      // Sizes that are odd have a last tile that reaches beyond the border, where nothing is.
#pragma unroll
      for (int i = 0; i < side; ++i)
        column[i] = load(from + i * in.row + j * in.pixel + c, i < rows && j < columns ? there : 0);
      Scheme::mix_inputs(column);
#pragma unroll
      for (int i = 0; i < side; ++i) x[i][j] = column[i];
    }
#pragma unroll
    for (int i = 0; i < side; ++i) {
      Scheme::mix_inputs(x[i]);
#pragma unroll
      for (int j = 0; j < side; ++j) store(to + (side * i + j) * matrix + c, x[i][j], 0xFFFF);
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

// The 2x2 outputs of 16 channels from products that lie `matrix` numbers apart.
template <class Scheme>
[[gnu::always_inline]] inline void outputs_of(const float *products, int64_t matrix,
                                              __m512 (&out)[2][2]) {
  constexpr int side = Scheme::side;
  __m512 half[2][side];
#pragma unroll
  for (int j = 0; j < side; ++j) {
    __m512 x[side];
#pragma unroll
    for (int i = 0; i < side; ++i) x[i] = _mm512_loadu_ps(products + (side * i + j) * matrix);
    Scheme::mix_products(x, half[0][j], half[1][j]);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) Scheme::mix_products(half[i], out[i][0], out[i][1]);
}

template <class Scheme>
void write_outputs(const Tiles<Scheme> &tiles, int64_t tile, const float *products, int64_t matrix,
                   int64_t block) {
  const Convolution &what = tiles.what;
  int64_t rows = what.rows - 2 * tiles.row(tile), columns = what.columns - 2 * tiles.column(tile);
  int64_t place = tiles.place(tile, what.out, 2);
  for (int64_t c = 0; c < what.kernels.columns(block); ++c) {
    int64_t channel = block * panel + 16 * c;
    __mmask16 which = first(what.kernels.outputs - channel);
    __m512 bias = _mm512_loadu_ps(what.bias + channel);
    __m512 out[2][2];
    outputs_of<Scheme>(products + 16 * c, matrix, out);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if (i >= rows || j >= columns) continue;
        int64_t to = place + i * what.out.row + j * what.out.pixel + channel;
        __m512 sum = _mm512_add_ps(out[i][j], bias);
        if (what.added) sum = _mm512_add_ps(sum, load(what.added + to, which));
        store(what.output + to, sum, which);
      }
    }
  }
}

template <class Scheme>
void convolve_tiles(const Tiles<Scheme> &tiles, int64_t begin, int64_t end, uint16_t *inputs,
                    float *products) {
  const Kernels &kernels = tiles.what.kernels;
  int64_t count = end - begin, width = tiles.width();
  for (int64_t i = 0; i < count; ++i)
    transform_inputs(tiles, begin + i, inputs + i * width, count * width);
  for (int64_t block = 0; block < kernels.blocks(); ++block) {
    int columns = kernels.columns(block);
    int64_t matrix = count * 16 * columns;
    for (int64_t plane = 0; plane < tiles.planes; ++plane)
      multiply_tiles(inputs + plane * count * width, width, count, kernels.plane(block, plane),
                     kernels.pairs, columns, products + plane * matrix);
    for (int64_t i = 0; i < count; ++i)
      write_outputs(tiles, begin + i, products + i * 16 * columns, matrix, block);
  }
}

template <class Scheme>
void convolve_by(const Convolution &what, int64_t input_rows, int64_t input_columns) {
  Tiles<Scheme> tiles(what, input_rows, input_columns);
  auto room = [&] {
    auto rows = static_cast<size_t>(tiles.planes * tiles.per_task);
    return std::pair(
        std::make_unique_for_overwrite<uint16_t[]>(rows * static_cast<size_t>(tiles.width())),
        std::make_unique_for_overwrite<float[]>(rows * static_cast<size_t>(panel)));
  };
  int64_t tasks = (tiles.count() + tiles.per_task - 1) / tiles.per_task;
  parallel_tasks(tasks, room, [&](int64_t task, auto &room) {
    int64_t begin = task * tiles.per_task;
    convolve_tiles(tiles, begin, std::min(begin + tiles.per_task, tiles.count()), room.first.get(),
                   room.second.get());
  });
}

}  // namespace

void convolve_by_winograd(const Convolution &what, int64_t input_rows, int64_t input_columns) {
  convolve_by<Winograd>(what, input_rows, input_columns);
}

void convolve_by_differences(const Convolution &what, int64_t input_rows, int64_t input_columns) {
  convolve_by<Upsampling>(what, input_rows, input_columns);
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
#endif
