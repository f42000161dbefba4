// Errors of the caller's closures on their way through libtorch.
#pragma once

#include <exception>

#include "CTorch.h"

namespace ct {

// Thrown where a closure has failed; the caller keeps its own error and takes it up again.
struct CallbackFailed : std::exception {
  const char *what() const noexcept override { return "a closure failed"; }
};

inline void require(ct_status status) {
  if (status != CT_OK) throw CallbackFailed();
}

}  // namespace ct
