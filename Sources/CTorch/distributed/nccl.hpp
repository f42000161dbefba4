// NVIDIA's library of collectives, found when it is asked for. Its functions are declared here as its
// manual has them, so that neither its headers nor CUDA's are needed to build.
#pragma once

#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <array>
#include <chrono>
#include <functional>

namespace ct {

// One communicator on one device. Operations are queued on the current stream behind the work that
// makes their input, and waited for on the host, so that a process that is gone is noticed.
class Nccl {
 public:
  using ID = std::array<char, 128>;

  // Loads the library; throws when it is not there.
  static void load(const char *library);
  static ID make_id();

  Nccl(const ID &id, int rank, int size, c10::Device device, std::chrono::milliseconds timeout);
  ~Nccl();
  Nccl(const Nccl &) = delete;
  Nccl &operator=(const Nccl &) = delete;

  void sum(const at::Tensor &t);
  void sum_to(const at::Tensor &t, int root);
  void broadcast(const at::Tensor &t, int root);
  void gather(const at::Tensor &t, const at::Tensor &out);
  void scatter_sum(const at::Tensor &t, const at::Tensor &out);

 private:
  void run(const std::function<int(void *stream)> &queue);
  void wait();
  [[noreturn]] void fail(const char *why);

  void *comm_ = nullptr;
  c10::Device device_;
  std::chrono::milliseconds timeout_;
};

}  // namespace ct

#endif
