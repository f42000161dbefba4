// Conversion of 8-bit floating-point numbers on the processor, which ATen does one by one.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH
/// The tensor in another type; undefined where this is not a conversion that is done here.
at::Tensor converted_from_float8(const at::Tensor &source, at::ScalarType target);
#endif
