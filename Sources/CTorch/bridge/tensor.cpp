#include "callback.hpp"
#include "guard.hpp"
#include "quantized.hpp"

#ifndef CT_HAS_LIBTORCH
#error "no libtorch: a clone needs 'make setup' or LIBTORCH, a dependency 'make install-libtorch'"
#else

#include <ATen/Context.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/contiguous.h>
#include <ATen/ops/copy.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <c10/util/Exception.h>

#include <new>
#include <string>

static_assert(static_cast<int>(at::kByte) == CT_UINT8);
static_assert(static_cast<int>(at::kChar) == CT_INT8);
static_assert(static_cast<int>(at::kShort) == CT_INT16);
static_assert(static_cast<int>(at::kInt) == CT_INT32);
static_assert(static_cast<int>(at::kLong) == CT_INT64);
static_assert(static_cast<int>(at::kHalf) == CT_FLOAT16);
static_assert(static_cast<int>(at::kFloat) == CT_FLOAT32);
static_assert(static_cast<int>(at::kDouble) == CT_FLOAT64);
static_assert(static_cast<int>(at::kComplexFloat) == CT_COMPLEX64);
static_assert(static_cast<int>(at::kBool) == CT_BOOL);
static_assert(static_cast<int>(at::kBFloat16) == CT_BFLOAT16);
static_assert(static_cast<int>(at::kFloat8_e5m2) == CT_FLOAT8_E5M2);
static_assert(static_cast<int>(at::kFloat8_e4m3fn) == CT_FLOAT8_E4M3FN);
static_assert(static_cast<int>(c10::DeviceType::CPU) == CT_CPU);
static_assert(static_cast<int>(c10::DeviceType::CUDA) == CT_CUDA);
static_assert(static_cast<int>(c10::DeviceType::MPS) == CT_MPS);

namespace {
thread_local std::string last_error;
}

void ct::set_error(const char *message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
}

ct_status ct::record_exception() noexcept {
  try {
    throw;
  } catch (const CallbackFailed &e) {
    set_error(e.what());
    return CT_CALLBACK_FAILED;
  } catch (const c10::OutOfMemoryError &e) {
    set_error(e.what_without_backtrace());
    return CT_OUT_OF_MEMORY;
  } catch (const c10::NotImplementedError &e) {
    set_error(e.what_without_backtrace());
    return CT_NOT_IMPLEMENTED;
  } catch (const c10::Error &e) {
    set_error(e.what_without_backtrace());
    // The CPU allocator reports a failed allocation as an ordinary error.
    return last_error.find("DefaultCPUAllocator") != std::string::npos ? CT_OUT_OF_MEMORY : CT_ERROR;
  } catch (const std::bad_alloc &e) {
    set_error(e.what());
    return CT_OUT_OF_MEMORY;
  } catch (const std::exception &e) {
    set_error(e.what());
    return CT_ERROR;
  } catch (...) {
    set_error("an exception of unknown type");
    return CT_ERROR;
  }
}

using namespace ct;

extern "C" {

const char *ct_last_error(void) { return last_error.c_str(); }

void ct_tensor_release(ct_tensor t) {
  if (t) Impl::reclaim(impl(t));
}

ct_tensor ct_tensor_retain(ct_tensor t) { return adopt(*Borrowed(t)); }

int64_t ct_tensor_rank(ct_tensor t) { return impl(t)->dim(); }
int64_t ct_tensor_size(ct_tensor t, int64_t axis) { return impl(t)->sizes()[axis]; }
int64_t ct_tensor_stride(ct_tensor t, int64_t axis) { return impl(t)->strides()[axis]; }
int64_t ct_tensor_count(ct_tensor t) { return impl(t)->numel(); }
int32_t ct_tensor_dtype(ct_tensor t) {
  return static_cast<int32_t>(c10::typeMetaToScalarType(impl(t)->dtype()));
}
ct_device ct_tensor_device(ct_tensor t) {
  c10::Device d = impl(t)->device();
  return {static_cast<ct_device_type>(d.type()), d.index()};
}
bool ct_tensor_is_contiguous(ct_tensor t) { return impl(t)->is_contiguous(); }

ct_status ct_tensor_data(ct_tensor t, void **out) {
  return guarded([&] { *out = borrow(t)->data_ptr(); });
}

ct_status ct_empty(const int64_t *s, size_t rank, ct_dtype d, ct_device where, ct_tensor *out) {
  return guarded([&] { *out = adopt(at::empty(sizes(s, rank), options(d, where))); });
}

ct_status ct_full(const int64_t *s, size_t rank, double value, ct_dtype d, ct_device where,
                  ct_tensor *out) {
  return guarded([&] { *out = adopt(at::full(sizes(s, rank), value, options(d, where))); });
}

ct_status ct_arange(double start, double end, double step, ct_dtype d, ct_device where,
                    ct_tensor *out) {
  return guarded([&] { *out = adopt(at::arange(start, end, step, options(d, where))); });
}

ct_status ct_linspace(double start, double end, int64_t count, ct_dtype d, ct_device where,
                      ct_tensor *out) {
  return guarded([&] { *out = adopt(at::linspace(start, end, count, options(d, where))); });
}

ct_status ct_from_memory(const void *data, const int64_t *s, size_t rank, ct_dtype d,
                         void (*release)(void *), void *context, ct_tensor *out) {
  return guarded([&] {
    *out = adopt(at::from_blob(
        const_cast<void *>(data), sizes(s, rank), [release, context](void *) { release(context); },
        at::TensorOptions().dtype(dtype(d))));
  });
}

ct_status ct_to(ct_tensor t, ct_dtype d, ct_device where, bool copy, ct_tensor *out) {
  return guarded([&] {
    at::Tensor fast;
    if (where.type == CT_CPU) fast = converted_from_float8(*borrow(t), dtype(d));
    *out = adopt(fast.defined() ? fast : borrow(t)->to(device(where), dtype(d), false, copy));
  });
}

ct_status ct_contiguous(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->contiguous()); });
}

ct_status ct_channels_last(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->contiguous(at::MemoryFormat::ChannelsLast)); });
}

ct_status ct_clone(ct_tensor t, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->clone()); });
}

ct_status ct_copy_(ct_tensor target, ct_tensor source) {
  return guarded([&] { borrow(target)->copy_(borrow(source)); });
}

ct_status ct_view_dtype(ct_tensor t, ct_dtype d, ct_tensor *out) {
  return guarded([&] { *out = adopt(borrow(t)->view(dtype(d))); });
}

ct_status ct_item(ct_tensor t, double *out) {
  return guarded([&] { *out = borrow(t)->item().toDouble(); });
}

}  // extern "C"

#endif
