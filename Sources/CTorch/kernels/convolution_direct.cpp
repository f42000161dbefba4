#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include "convolution.hpp"

#ifdef CT_HAS_PRODUCTS

#include "parallel.hpp"

CT_AVX512_BEGIN

namespace ct::avx512 {
namespace {

// Kernels that are kept in a core's cache while pixels pass, in 16-bit values.
constexpr int64_t cached_kernels = 160 << 10;
// Pixels of a row whose sums are kept in float32 from some places of the kernel to the next.
constexpr int64_t longest_piece = 192;
// Pixels of a task.
constexpr int64_t task_pixels = 2048;

// Some pixels of one row and one block of output channels.
struct Piece {
  const Convolution &what;
  const std::vector<int64_t> &shifts;
  const uint16_t *input;
  const uint16_t *kernels;
  const float *bias;
  const uint16_t *added;
  uint16_t *output;
  float *sums;  // [pixels][16 * columns]
  int columns;
  __mmask16 last;  // which of the last 16 output channels there are
  // The places of the kernel that are added now.
  size_t begin, end;

  bool is_first() const { return begin == 0; }
  bool is_last() const { return end == shifts.size(); }
};

template <int ROWS, int COLUMNS>
[[gnu::always_inline]] inline void start(const Piece &piece, int64_t pixel, __m512 (&sums)[ROWS][COLUMNS]) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    const float *from =
        piece.is_first() ? piece.bias : piece.sums + (pixel + r) * 16 * COLUMNS;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) sums[r][c] = _mm512_loadu_ps(from + 16 * c);
  }
}

template <int ROWS, int COLUMNS>
[[gnu::always_inline]] inline void keep(const Piece &piece, int64_t pixel, __m512 (&sums)[ROWS][COLUMNS]) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r)
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c)
      _mm512_storeu_ps(piece.sums + ((pixel + r) * COLUMNS + c) * 16, sums[r][c]);
}

template <int ROWS, int COLUMNS>
[[gnu::always_inline]] inline void finish(const Piece &piece, int64_t pixel, __m512 (&sums)[ROWS][COLUMNS]) {
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
    int64_t at = (pixel + r) * piece.what.out.pixel;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
      __mmask16 which = c == COLUMNS - 1 ? piece.last : 0xFFFF;
      __m512 sum = sums[r][c];
      if (piece.added) sum = _mm512_add_ps(sum, load(piece.added + at + 16 * c, which));
      store(piece.output + at + 16 * c, sum, which);
    }
  }
}

template <int ROWS, int COLUMNS>
void add_pixels(const Piece &piece, int64_t pixel) {
  __m512 sums[ROWS][COLUMNS];
  start(piece, pixel, sums);
  int64_t pairs = piece.what.kernels.pairs, step = piece.what.in.pixel;
  const uint16_t *input = piece.input + pixel * step;
  const uint16_t *kernels = piece.kernels + piece.begin * static_cast<size_t>(pairs * 32 * COLUMNS);
  for (size_t i = piece.begin; i < piece.end; ++i, kernels += pairs * 32 * COLUMNS)
    multiply(sums, input + piece.shifts[i], step, kernels, pairs);
  if (piece.is_last())
    finish(piece, pixel, sums);
  else
    keep(piece, pixel, sums);
}

void add_row(const Piece &piece, int64_t pixels) {
  for (int64_t pixel = 0; pixel < pixels; pixel += 6) {
    int rows = static_cast<int>(std::min<int64_t>(6, pixels - pixel));
    with_shape(rows, piece.columns, [&]<int ROWS, int COLUMNS>() {
      add_pixels<ROWS, COLUMNS>(piece, pixel);
    });
  }
}

// Kernels too large for the cache are taken some places at a time.
size_t places_at_once(const Convolution &what, size_t places) {
  int64_t size = what.kernels.plane_size(0);
  int64_t fitting = std::max<int64_t>(1, cached_kernels / size);
  if (fitting >= static_cast<int64_t>(places)) return places;
  return places == 9 && fitting >= 3 ? 3 : static_cast<size_t>(fitting);
}

void convolve_row(const Convolution &what, const std::vector<int64_t> &shifts, int64_t first_plane,
                  int64_t image, int64_t row, int64_t block, float *sums) {
  int64_t outputs = what.kernels.outputs - block * panel;
  int columns = what.kernels.columns(block);
  size_t at_once = places_at_once(what, shifts.size());
  int64_t longest = at_once < shifts.size() ? longest_piece : what.columns;
  for (int64_t column = 0; column < what.columns; column += longest) {
    int64_t in = image * what.in.image + row * what.in.row + column * what.in.pixel;
    int64_t out =
        image * what.out.image + row * what.out.row + column * what.out.pixel + block * panel;
    Piece piece{what,
                shifts,
                what.input + in,
                what.kernels.plane(block, first_plane),
                what.bias + block * panel,
                what.added ? what.added + out : nullptr,
                what.output + out,
                sums,
                columns,
                first(outputs - 16 * (columns - 1)),
                0,
                0};
    while (piece.end < shifts.size()) {
      piece.begin = piece.end;
      piece.end = std::min(piece.begin + at_once, shifts.size());
      add_row(piece, std::min(longest, what.columns - column));
    }
  }
}

}  // namespace

void convolve(const Convolution &what, const std::vector<int64_t> &shifts, int64_t first_plane) {
  int64_t band = std::max<int64_t>(1, task_pixels / std::max<int64_t>(1, what.columns));
  int64_t bands = (what.rows + band - 1) / band, blocks = what.kernels.blocks();
  parallel_tasks(what.images * bands * blocks, [&](int64_t task) {
    int64_t block = task % blocks, first_row = task / blocks % bands * band;
    alignas(64) float sums[longest_piece * panel];
    for (int64_t row = first_row; row < std::min(first_row + band, what.rows); ++row)
      convolve_row(what, shifts, first_plane, task / blocks / bands, row, block, sums);
  });
}

}  // namespace ct::avx512

CT_AVX512_END

#endif
#endif
