// Convolutions of bfloat16 with channels innermost, by kernels for AVX-512.
//
// A convolution looks at a map that has its border already; it adds none. Channels of what goes in
// are even in number. Sums are of 32 bits and are rounded once, after the bias and what is added;
// each of them is added up in one order, whatever rows and columns are asked for at once and
// however many threads there are.
#pragma once

#include "avx512.hpp"

#ifdef CT_HAS_PRODUCTS

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ct::avx512 {

// The output channels that are computed at once.
constexpr int64_t panel = 64;

// How kernels are made from those of a file: each plane is a sum of their places by factors.
struct Recipe {
  int places, planes;
  std::vector<float> factors;  // [planes][places]

  static Recipe plain(int places);
  // The output of images enlarged by repetition falls in four phases that look at 2x2 pixels of
  // the small one: planes [row][column] of a phase, for phases [row][column].
  static Recipe upsampling();
  // The same by differences of neighbors: along each side all of a kernel, its first and its last
  // place, [3][3].
  static Recipe differences();
  // F(2x2, 3x3), [4][4].
  static Recipe winograd();
};

// Kernels as `multiply` takes them, one block of output channels after the other:
// [planes][pairs of input channels][up to 64 output channels][2].
struct Kernels {
  uint16_t *data;
  int64_t outputs, pairs, planes;

  static int64_t count(int64_t outputs, int64_t inputs, int64_t planes) {
    return (outputs + 15) / 16 * 16 * ((inputs + 1) / 2 * 2) * planes;
  }
  int64_t blocks() const { return (outputs + panel - 1) / panel; }
  // Columns of 16.
  int columns(int64_t block) const {
    return static_cast<int>((std::min(panel, outputs - block * panel) + 15) / 16);
  }
  uint16_t *plane(int64_t block, int64_t plane) const {
    return data + block * panel * planes * pairs * 2 + plane * plane_size(block);
  }
  int64_t plane_size(int64_t block) const { return pairs * 2 * 16 * columns(block); }
};

// Makes kernels of a weight [outputs, inputs, places].
void prepare(const uint16_t *weight, int64_t inputs, const Recipe &recipe, const Kernels &kernels);

// Numbers from one image, row and pixel to the next.
struct Steps {
  int64_t image, row, pixel;
};

// What is computed; rows and columns are those of the output.
struct Convolution {
  int64_t images, rows, columns;
  const uint16_t *input;
  Steps in;
  Kernels kernels;
  const float *bias;       // of whole columns of 16
  const uint16_t *added;   // laid out as the output, or null
  uint16_t *output;
  Steps out;
};

// Places of a kernel one by one: plane first_plane + i of the kernels meets the pixel
// shifts[i] numbers behind the output's first.
void convolve(const Convolution &what, const std::vector<int64_t> &shifts, int64_t first_plane = 0);

// 3x3 with stride 1 by fewer products, F(2x2, 3x3): four neighboring outputs by 16 products of
// sums of inputs with sums of kernels instead of 36, at the cost of rounding those.
//
// - Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks.
void convolve_by_winograd(const Convolution &what, int64_t input_rows, int64_t input_columns);

// 3x3 of a map with each pixel repeated twice along both axes; what goes in is the small map with a
// border of 1. The four outputs where pixel x was, after x' and before x", are along each side
// s·x + a·(x' - x) and s·x - b·(x - x"), where s is the sum of a kernel's three places, a the first
// and b the last: 9 products for what takes 36, or 16 with sums of kernels alone.
void convolve_by_differences(const Convolution &what, int64_t input_rows, int64_t input_columns);

// Calls `body` with constants for `rows` from 1 to 6 and `columns` from 1 to 4.
template <class F>
void with_shape(int rows, int columns, F &&body) {
  auto with_columns = [&]<int ROWS>() {
    switch (columns) {
      case 1: return body.template operator()<ROWS, 1>();
      case 2: return body.template operator()<ROWS, 2>();
      case 3: return body.template operator()<ROWS, 3>();
      default: return body.template operator()<ROWS, 4>();
    }
  };
  switch (rows) {
    case 1: return with_columns.template operator()<1>();
    case 2: return with_columns.template operator()<2>();
    case 3: return with_columns.template operator()<3>();
    case 4: return with_columns.template operator()<4>();
    case 5: return with_columns.template operator()<5>();
    default: return with_columns.template operator()<6>();
  }
}

}  // namespace ct::avx512

#endif
