// What every function of the C border is built from: borrowing handles, adopting results and
// turning exceptions into a status with a message.
#pragma once

// Without libtorch every file is empty, but for one that says so: one line instead of five.
#if __has_include(<ATen/core/Tensor.h>)
#define CT_HAS_LIBTORCH

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <optional>
#include <vector>

#include "CTorch.h"

namespace ct {

// Reads the exception in flight into this thread's message.
ct_status record_exception() noexcept;
void set_error(const char *message) noexcept;

template <class F>
ct_status guarded(F &&body) noexcept {
  try {
    body();
    return CT_OK;
  } catch (...) {
    return record_exception();
  }
}

using Impl = c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

inline at::TensorImpl *impl(ct_tensor t) { return reinterpret_cast<at::TensorImpl *>(t); }

// A handle seen as at::Tensor for the length of a call, without touching the reference count.
class Borrowed {
 public:
  explicit Borrowed(ct_tensor t)
      : tensor_(t ? at::Tensor(Impl::reclaim(impl(t))) : at::Tensor()) {}
  ~Borrowed() { tensor_.unsafeReleaseTensorImpl(); }
  Borrowed(const Borrowed &) = delete;
  Borrowed &operator=(const Borrowed &) = delete;
  operator const at::Tensor &() const { return tensor_; }
  const at::Tensor *operator->() const { return &tensor_; }
  const at::Tensor &operator*() const { return tensor_; }

 private:
  at::Tensor tensor_;
};

inline Borrowed borrow(ct_tensor t) { return Borrowed(t); }

// An owned at::Tensor for a handle that may be NULL.
inline std::optional<at::Tensor> optional(ct_tensor t) {
  if (!t) return std::nullopt;
  return *Borrowed(t);
}

inline ct_tensor adopt(at::Tensor t) {
  return reinterpret_cast<ct_tensor>(t.unsafeReleaseTensorImpl());
}

inline std::vector<at::Tensor> list(const ct_tensor *ts, size_t count) {
  std::vector<at::Tensor> result;
  result.reserve(count);
  for (size_t i = 0; i < count; ++i) result.push_back(*Borrowed(ts[i]));
  return result;
}

inline at::IntArrayRef sizes(const int64_t *values, size_t count) { return {values, count}; }
inline at::ScalarType dtype(ct_dtype d) { return static_cast<at::ScalarType>(d); }

inline c10::Device device(ct_device d) {
  return c10::Device(static_cast<c10::DeviceType>(d.type), static_cast<c10::DeviceIndex>(d.index));
}

inline at::TensorOptions options(ct_dtype d, ct_device where) {
  return at::TensorOptions().dtype(dtype(d)).device(device(where));
}

inline at::Generator generator(ct_generator g) {
  return at::Generator(c10::intrusive_ptr<c10::GeneratorImpl>::unsafe_reclaim_from_nonowning(
      reinterpret_cast<c10::GeneratorImpl *>(g)));
}

}  // namespace ct

#endif
