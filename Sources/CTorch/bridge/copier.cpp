#include "guard.hpp"

#ifdef CT_HAS_LIBTORCH

#include <ATen/ops/from_blob.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <dlfcn.h>

#include <vector>

using namespace ct;

// Copies from the host to a device on a stream of their own, beside the stream that computes. Two
// events for each slot keep them apart: a slot is not filled before its last use is done, and not
// used before it is filled; nobody on the host waits for either.
struct ct_copier_s {
  explicit ct_copier_s(c10::Device d, int32_t slots)
      : device(d), guard(d.type()), stream(guard.getStreamFromGlobalPool(d)) {
    for (int32_t i = 0; i < slots; i++) {
      filled.emplace_back(d.type(), c10::EventFlag::PYTORCH_DEFAULT);
      used.emplace_back(d.type(), c10::EventFlag::PYTORCH_DEFAULT);
    }
  }

  c10::Device device;
  c10::impl::VirtualGuardImpl guard;
  c10::Stream stream;
  std::vector<c10::Event> filled;
  std::vector<c10::Event> used;
};

namespace {
c10::Device with_index(c10::Device d) {
  return d.has_index() ? d : c10::impl::VirtualGuardImpl(d.type()).getDevice();
}
}  // namespace

extern "C" {

ct_status ct_copier_create(ct_device where, int32_t slots, ct_copier *out) {
  return guarded([&] { *out = new ct_copier_s(with_index(device(where)), slots); });
}

void ct_copier_release(ct_copier c) { delete c; }

ct_status ct_copier_copy(ct_copier c, void *target, const void *source, size_t count) {
  return guarded([&] {
    c10::StreamGuard onto(c->stream);
    auto bytes = at::TensorOptions().dtype(at::kByte);
    int64_t size = static_cast<int64_t>(count);
    at::Tensor from = at::from_blob(const_cast<void *>(source), {size}, bytes);
    at::Tensor to = at::from_blob(target, {size}, bytes.device(c->device));
    to.copy_(from, /*non_blocking=*/true);
  });
}

ct_status ct_copier_will_fill(ct_copier c, int32_t slot) {
  return guarded([&] {
    // This thread has done nothing on the device before.
    c->guard.setDevice(c->device);
    if (c->used.at(slot).was_marked_for_recording()) c->used.at(slot).block(c->stream);
  });
}

ct_status ct_copier_did_fill(ct_copier c, int32_t slot) {
  return guarded([&] { c->filled.at(slot).record(c->stream); });
}

ct_status ct_copier_will_use(ct_copier c, int32_t slot) {
  return guarded([&] { c->filled.at(slot).block(c->guard.getStream(c->device)); });
}

ct_status ct_copier_did_use(ct_copier c, int32_t slot) {
  return guarded([&] { c->used.at(slot).record(c->guard.getStream(c->device)); });
}

ct_status ct_copier_settle(ct_copier c, int32_t slot) {
  return guarded([&] {
    if (c->filled.at(slot).was_marked_for_recording()) c->filled.at(slot).synchronize();
  });
}

// The CUDA runtime is loaded together with libtorch_cuda, never linked.
bool ct_pin(void *start, size_t count) {
  using Register = int (*)(void *, size_t, unsigned);
  static auto pin = reinterpret_cast<Register>(dlsym(RTLD_DEFAULT, "cudaHostRegister"));
  if (!pin) return false;
  if (pin(start, count, /*cudaHostRegisterPortable=*/1) == 0) return true;
  // Else the next check of a kernel would find this error.
  static auto forget = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "cudaGetLastError"));
  if (forget) forget();
  return false;
}

void ct_unpin(void *start) {
  using Unregister = int (*)(void *);
  static auto unpin = reinterpret_cast<Unregister>(dlsym(RTLD_DEFAULT, "cudaHostUnregister"));
  if (unpin) unpin(start);
}

}  // extern "C"

#endif
