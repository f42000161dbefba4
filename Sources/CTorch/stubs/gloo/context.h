#pragma once

#include <chrono>

namespace gloo {
// Only seen through pointers, and told about a timeout.
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
}  // namespace gloo
