// libtorch behind plain C: opaque handles, a status from every call, results through
// out-parameters. Nothing is thrown across this border.
//
// A ct_tensor or ct_generator that a function writes is owned by the caller and given back with
// ct_tensor_release or ct_generator_release. Arguments are borrowed for the length of the call.
#ifndef CTORCH_H
#define CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_tensor_opaque *ct_tensor;
typedef struct ct_generator_opaque *ct_generator;
typedef struct ct_copier_s *ct_copier;
typedef struct ct_pool_s *ct_pool;
typedef struct ct_counter_s *ct_counter;
typedef struct ct_group_s *ct_group;

typedef enum {
  CT_OK = 0,
  CT_ERROR = 1,
  CT_OUT_OF_MEMORY = 2,
  CT_NOT_IMPLEMENTED = 3,
  CT_CALLBACK_FAILED = 4,  // a closure of the caller's has failed, who knows why
} ct_status;

// The numbers are libtorch's own; tensor.cpp asserts it.
typedef enum {
  CT_UINT8 = 0,
  CT_INT8 = 1,
  CT_INT16 = 2,
  CT_INT32 = 3,
  CT_INT64 = 4,
  CT_FLOAT16 = 5,
  CT_FLOAT32 = 6,
  CT_FLOAT64 = 7,
  CT_COMPLEX64 = 9,
  CT_BOOL = 11,
  CT_BFLOAT16 = 15,
  CT_FLOAT8_E5M2 = 23,
  CT_FLOAT8_E4M3FN = 24,
} ct_dtype;

// CT_META holds no values: tensors there have shapes and types only, and cost no memory.
typedef enum { CT_CPU = 0, CT_CUDA = 1, CT_MPS = 13, CT_META = 14 } ct_device_type;

typedef struct {
  ct_device_type type;
  int32_t index;  // -1: the current one
} ct_device;

// The message of the last failed call on this thread; valid until the next one.
const char *ct_last_error(void);

// --- tensor.cpp: life, layout, bytes -------------------------------------------------------------

void ct_tensor_release(ct_tensor t);
ct_tensor ct_tensor_retain(ct_tensor t);  // the same tensor, to be released once more
int64_t ct_tensor_rank(ct_tensor t);
int64_t ct_tensor_size(ct_tensor t, int64_t axis);
int64_t ct_tensor_stride(ct_tensor t, int64_t axis);
int64_t ct_tensor_count(ct_tensor t);
int32_t ct_tensor_dtype(ct_tensor t);  // libtorch's number, which may be none of ct_dtype
ct_device ct_tensor_device(ct_tensor t);
bool ct_tensor_is_contiguous(ct_tensor t);
ct_status ct_tensor_data(ct_tensor t, void **out);

ct_status ct_empty(const int64_t *sizes, size_t rank, ct_dtype dtype, ct_device device, ct_tensor *out);
ct_status ct_full(const int64_t *sizes, size_t rank, double value, ct_dtype dtype, ct_device device, ct_tensor *out);
ct_status ct_arange(double start, double end, double step, ct_dtype dtype, ct_device device, ct_tensor *out);
ct_status ct_linspace(double start, double end, int64_t count, ct_dtype dtype, ct_device device, ct_tensor *out);
// Borrows host memory, which must stay valid and unchanged until `release(context)` is called.
ct_status ct_from_memory(const void *data, const int64_t *sizes, size_t rank, ct_dtype dtype,
                         void (*release)(void *), void *context, ct_tensor *out);
ct_status ct_to(ct_tensor t, ct_dtype dtype, ct_device device, bool copy, ct_tensor *out);
ct_status ct_contiguous(ct_tensor t, ct_tensor *out);
ct_status ct_channels_last(ct_tensor t, ct_tensor *out);
ct_status ct_clone(ct_tensor t, ct_tensor *out);
ct_status ct_copy_(ct_tensor target, ct_tensor source);
ct_status ct_view_dtype(ct_tensor t, ct_dtype dtype, ct_tensor *out);
ct_status ct_item(ct_tensor t, double *out);

// --- quantized.cpp: low-bit weights -------------------------------------------------------------

// Memory for a short while: the same again and again, unless somebody still shows it.
ct_status ct_scratch(const int64_t *sizes, size_t rank, ct_dtype dtype, ct_device device, ct_tensor *out);
// Gives this thread's such memory back.
void ct_release_scratch(void);
// Writes 8-bit `values`, times `scale` in float32 where it is not NULL: [] for all, [rows, 1], or
// [rows, groups] with groups of equal width. Rows that are `rotated` are rotated back first.
ct_status ct_dequantize8(ct_tensor values, ct_tensor scale, bool rotated, ct_tensor out);
// Makes 8-bit values, CT_FLOAT8_E4M3FN or CT_INT8, and scales for a weight [rows, ...]. `group`
// neighbors of a row share a scale, [rows, groups]; -1: all do, []; 0: without (*scale is NULL).
ct_status ct_quantize8(ct_tensor weight, ct_dtype dtype, int64_t group, ct_tensor *values, ct_tensor *scale);
// The same as CT_INT8 for rows that are rotated first, by Hadamard matrices of the largest power of two
// up to 256 that divides them; with a scale for each row, [rows, 1].
ct_status ct_quantize_rotated(ct_tensor weight, ct_tensor *values, ct_tensor *scale);
// The sums of the squares of what that has changed, and of the weights.
ct_status ct_quantization_loss(ct_tensor weight, ct_tensor values, ct_tensor scale, bool rotated, double out[2]);

// --- copier.cpp: from the host to a device while it computes ------------------------------------

// Copies run on a stream of their own; fill and use of a slot exclude each other on the device.
// `copy`, `will_fill`, `did_fill` and `settle` belong to the thread that loads, the others to the
// one that computes. For devices other than the CPU.
ct_status ct_copier_create(ct_device device, int32_t slots, ct_copier *out);
void ct_copier_release(ct_copier c);
// Returns at once from pinned memory, which must then stay as it is until the slot is filled.
ct_status ct_copier_copy(ct_copier c, void *target, const void *source, size_t count);
ct_status ct_copier_will_fill(ct_copier c, int32_t slot);
ct_status ct_copier_did_fill(ct_copier c, int32_t slot);
ct_status ct_copier_will_use(ct_copier c, int32_t slot);
ct_status ct_copier_did_use(ct_copier c, int32_t slot);
// Waits on the host until the slot is filled.
ct_status ct_copier_settle(ct_copier c, int32_t slot);
// Keeps host memory in place so that a device can read it by itself; false where that fails.
bool ct_pin(void *start, size_t count);
void ct_unpin(void *start);

// --- gguf_dequantize.cpp ----------------------------------------------------------------------------------

// How blocks of few-bit integers are laid out; names and numbers are those of GGUF.
typedef enum { CT_Q4_0 = 2, CT_Q8_0 = 8, CT_Q4_K = 12, CT_Q5_K = 13, CT_Q6_K = 14 } ct_gguf_block_type;

// Writes the values of blocks [rows, bytes] to `out` [rows, values], which is float32, bfloat16 or
// float16; both are contiguous and on one device.
ct_status ct_dequantize_blocks(ct_tensor blocks, ct_gguf_block_type format, ct_tensor out);
// The same with tensor operations, as it is done on other devices than the CPU.
ct_status ct_dequantize_blocks_by_operations(ct_tensor blocks, ct_gguf_block_type format, ct_tensor out);

// --- shape.cpp -----------------------------------------------------------------------------------

ct_status ct_reshape(ct_tensor t, const int64_t *sizes, size_t rank, ct_tensor *out);
ct_status ct_permute(ct_tensor t, const int64_t *axes, size_t rank, ct_tensor *out);
ct_status ct_expand(ct_tensor t, const int64_t *sizes, size_t rank, ct_tensor *out);
ct_status ct_transpose(ct_tensor t, int64_t a, int64_t b, ct_tensor *out);
ct_status ct_unsqueeze(ct_tensor t, int64_t axis, ct_tensor *out);
ct_status ct_squeeze(ct_tensor t, int64_t axis, ct_tensor *out);
ct_status ct_select(ct_tensor t, int64_t axis, int64_t index, ct_tensor *out);
ct_status ct_slice(ct_tensor t, int64_t axis, int64_t start, int64_t end, int64_t step, ct_tensor *out);
ct_status ct_index_select(ct_tensor t, int64_t axis, ct_tensor index, ct_tensor *out);
ct_status ct_cat(const ct_tensor *ts, size_t count, int64_t axis, ct_tensor *out);
ct_status ct_stack(const ct_tensor *ts, size_t count, int64_t axis, ct_tensor *out);
ct_status ct_pad_constant(ct_tensor t, const int64_t *widths, size_t count, double value, ct_tensor *out);
ct_status ct_pad_reflect(ct_tensor t, const int64_t *widths, size_t count, ct_tensor *out);
// Pairs of the last axis as complex numbers and back, without copying.
ct_status ct_view_as_complex(ct_tensor t, ct_tensor *out);
ct_status ct_view_as_real(ct_tensor t, ct_tensor *out);
ct_status ct_tril(ct_tensor t, int64_t diagonal, ct_tensor *out);
ct_status ct_where(ct_tensor condition, ct_tensor a, ct_tensor b, ct_tensor *out);

// --- math.cpp ------------------------------------------------------------------------------------

#define CT_UNARY_FUNCTIONS(X) \
  X(neg) X(abs) X(exp) X(log) X(sqrt) X(rsqrt) X(sin) X(cos) X(tanh) X(sigmoid) X(silu) \
  X(floor) X(round) X(square) X(isfinite) X(logical_not)
#define CT_BINARY_FUNCTIONS(X) \
  X(add) X(sub) X(mul) X(div) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(logical_and) X(maximum) X(minimum)
#define CT_SCALAR_FUNCTIONS(X) X(add) X(sub) X(mul) X(div) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(pow)

#define CT_DECLARE(name) ct_status ct_##name(ct_tensor t, ct_tensor *out);
CT_UNARY_FUNCTIONS(CT_DECLARE)
#undef CT_DECLARE
#define CT_DECLARE(name) ct_status ct_##name(ct_tensor a, ct_tensor b, ct_tensor *out);
CT_BINARY_FUNCTIONS(CT_DECLARE)
#undef CT_DECLARE
#define CT_DECLARE(name) ct_status ct_##name##_scalar(ct_tensor a, double b, ct_tensor *out);
CT_SCALAR_FUNCTIONS(CT_DECLARE)
#undef CT_DECLARE

ct_status ct_rsub_scalar(ct_tensor a, double b, ct_tensor *out);  // b - a
ct_status ct_scalar_pow(double base, ct_tensor exponent, ct_tensor *out);
ct_status ct_add_(ct_tensor a, ct_tensor b);
ct_status ct_mul_(ct_tensor a, ct_tensor b);
ct_status ct_addcmul(ct_tensor t, ct_tensor a, ct_tensor b, ct_tensor *out);  // t + a * b
ct_status ct_clamp(ct_tensor t, double low, double high, ct_tensor *out);
ct_status ct_matmul(ct_tensor a, ct_tensor b, ct_tensor *out);
// Thin decompositions of a matrix: U, S, V with t = U diag(S) V, and the orthonormal factor of QR.
ct_status ct_svd(ct_tensor t, ct_tensor out[3]);
ct_status ct_orthonormal(ct_tensor t, ct_tensor *out);
ct_status ct_softmax(ct_tensor t, int64_t axis, ct_tensor *out);
// Reductions: axes == NULL means all of them.
ct_status ct_sum(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out);
ct_status ct_mean(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out);
ct_status ct_amax(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out);
ct_status ct_amin(ct_tensor t, const int64_t *axes, size_t count, bool keep, ct_tensor *out);
ct_status ct_all(ct_tensor t, ct_tensor *out);
ct_status ct_equal(ct_tensor a, ct_tensor b, bool *out);

// --- neural.cpp ----------------------------------------------------------------------------------

// Optional tensors are NULL when absent.
ct_status ct_linear(ct_tensor x, ct_tensor weight, ct_tensor bias, ct_tensor *out);
ct_status ct_embedding(ct_tensor weight, ct_tensor ids, ct_tensor *out);
ct_status ct_layer_norm(ct_tensor x, int64_t width, ct_tensor weight, ct_tensor bias, double epsilon, ct_tensor *out);
ct_status ct_rms_norm(ct_tensor x, int64_t width, ct_tensor weight, double epsilon, ct_tensor *out);
ct_status ct_group_norm(ct_tensor x, int64_t groups, ct_tensor weight, ct_tensor bias, double epsilon, ct_tensor *out);
// Means, then 1/sqrt(variance + epsilon) as ct_group_norm takes them: [2, B, groups] in float32.
ct_status ct_group_moments(ct_tensor x, int64_t groups, double epsilon, ct_tensor *out);
ct_status ct_conv2d(ct_tensor x, ct_tensor weight, ct_tensor bias, int64_t stride, int64_t padding, ct_tensor *out);
ct_status ct_mse_loss(ct_tensor x, ct_tensor target, ct_tensor *out);  // the mean of all squares
ct_status ct_upsample_nearest2d(ct_tensor x, int64_t factor, ct_tensor *out);
ct_status ct_scaled_dot_product_attention(ct_tensor q, ct_tensor k, ct_tensor v, ct_tensor mask,
                                          bool causal, bool grouped, ct_tensor *out);

// --- kernels.cpp: which of the package's own kernels compute what --------------------------------

// The instructions that kernels may use; each set includes those before it. With the first,
// everything is computed by libtorch.
typedef enum {
  CT_KERNELS_REFERENCE = 0,
  CT_KERNELS_PORTABLE = 1,  // compiled for several instruction sets, with equal results
  CT_KERNELS_AVX512_VNNI = 2,  // products of 8-bit integers
  CT_KERNELS_DIRECT = 3,       // AVX-512 with products of bfloat16, of pixels as they are
  CT_KERNELS_AVX512_BF16 = 4,  // the same, and products of sums where that makes fewer of them
} ct_kernel_set;

// What there are kernels for; the numbers mean nothing.
typedef enum {
  CT_KERNEL_ATTENTION = 0,
  CT_KERNEL_NORM = 1,
  CT_KERNEL_MODULATION = 2,
  CT_KERNEL_ROTATION = 3,
  CT_KERNEL_GATE = 4,
  CT_KERNEL_RESIDUAL = 5,
  CT_KERNEL_GROUP_NORM = 6,
  CT_KERNEL_CONVOLUTION = 7,
  CT_KERNEL_WINOGRAD = 8,
  CT_KERNEL_INT8 = 9,
} ct_kernel;

ct_kernel_set ct_best_kernels(void);  // what this processor can run
ct_kernel_set ct_kernels(void);       // what this thread runs
// Sets the highest set that may be used, by all threads or by the calling one; the lower of both
// counts. The second returns what was set before.
void ct_allow_kernels(ct_kernel_set highest);
ct_kernel_set ct_allow_kernels_here(ct_kernel_set highest);
ct_kernel_set ct_kernel_needs(ct_kernel kernel);  // what a kernel is written in
// Whether convolutions of so many channels are to be done by fewer products.
bool ct_worth_saving_products(int64_t outputs, int64_t inputs);
// Whether a kernel computes on these operands now, else libtorch does; absent ones are NULL.
bool ct_has_kernel(ct_kernel kernel, const ct_tensor *operands, size_t count);

// --- operation_counts.cpp: what products of forward passes took since the process began ------------------------

typedef struct {
  int64_t int8, float16, others;  // operations on numbers of these types, two for a multiplication
  int64_t bytes;                  // of operands and results
} ct_operation_counts;

ct_operation_counts ct_counted_operations(void);

// --- row_kernels.cpp, attention_kernel.cpp: what `ct_has_kernel` says yes to ------------------------

// All write to `out`, whose rows lie in one piece; its other axes may lie anyhow.
// The last axis over its root mean square, times `weight`.
ct_status ct_kernel_norm(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor out);
// (1 + scale) · norm(x) + shift; axes of length 1 of shift and scale are repeated.
ct_status ct_kernel_modulation(ct_tensor x, ct_tensor shift, ct_tensor scale, double epsilon, ct_tensor out);
// silu(gate) · up.
ct_status ct_kernel_gate(ct_tensor gate, ct_tensor up, ct_tensor out);
// x + gate · y; axes of length 1 of `gate` are repeated.
ct_status ct_kernel_residual(ct_tensor x, ct_tensor gate, ct_tensor y, ct_tensor out);
// Heads [B, T, H, d], normalized if there is a weight [d], then rotated: neighbors by complex numbers
// [T, 1, d/2], or halves by cosines and sines [T, d] in bfloat16.
ct_status ct_kernel_rotate_pairs(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor rotation, ct_tensor out);
ct_status ct_kernel_rotate_halves(ct_tensor x, ct_tensor weight, double epsilon, ct_tensor cosines,
                                  ct_tensor sines, ct_tensor out);
// Attention with scale 1/√d of q [B, H, Tq, d] to k and v [B, Hk, Tk, d], of which each serves H/Hk
// heads in a row. Query i looks at keys up to i if `causal`, and of the b-th of the batch only at
// keys words[2b] ..< words[2b + 1] unless that is NULL; one that may look at nothing gives zeros.
ct_status ct_kernel_attention(ct_tensor q, ct_tensor k, ct_tensor v, bool causal, const int64_t *words,
                              ct_tensor out);

// --- vae_layers.cpp: layers of maps of bfloat16 with channels innermost, on CPUs with AVX-512 --

// Results have their channels innermost in memory; borders are zeros, so many pixels at the top, the
// bottom, the left and the right. A map with a border has an even number of channels.

// The sum and the sum of squares of each row's part of each group: [B, h, groups, 2] of float64.
ct_status ct_group_sums(ct_tensor x, int64_t groups, ct_tensor *out);
// The norm by the sums of all rows of a map of some of its rows, then SiLU if told so, with a border.
ct_status ct_normed_bordered(ct_tensor x, ct_tensor sums, ct_tensor weight, ct_tensor bias, double epsilon,
                             bool activates, const int64_t *border, ct_tensor *out);
ct_status ct_bordered(ct_tensor x, const int64_t *border, ct_tensor *out);
// A convolution that adds no border, plus `added` (or NULL); 3x3 with stride 1 may be done by fewer
// products of rounded sums.
ct_status ct_conv2d_bordered(ct_tensor x, ct_tensor weight, ct_tensor bias, ct_tensor added, int64_t stride,
                             bool by_winograd, ct_tensor *out);
// A 3x3 convolution of the map with each pixel repeated twice along both axes; the border is 1. It may be
// done by fewer products, of differences that are rounded.
ct_status ct_conv2d_upsampling(ct_tensor x, ct_tensor weight, ct_tensor bias, bool by_differences,
                              ct_tensor *out);

// --- int8_linear.cpp -------------------------------------------------------------------------------

// x [..., K] · weightᵀ for a weight of ct_quantize_rotated, [N, K] with scales [N, 1], to `out` [..., N],
// which lies in one piece. Rows of x are rotated and become 8-bit integers with a scale each.
ct_status ct_kernel_int8(ct_tensor x, ct_tensor values, ct_tensor scale, ct_tensor out);

// --- autograd.cpp --------------------------------------------------------------------------------

bool ct_grad_enabled(void);
void ct_set_grad_enabled(bool enabled);
bool ct_requires_grad(ct_tensor t);
ct_status ct_set_requires_grad(ct_tensor t, bool value);
ct_status ct_detach(ct_tensor t, ct_tensor *out);
ct_status ct_backward(ct_tensor t, ct_tensor gradient);
ct_status ct_grad(ct_tensor t, ct_tensor *out);  // writes NULL when there is none
ct_status ct_zero_grad(ct_tensor t);
ct_status ct_set_grad(ct_tensor t, ct_tensor gradient);

// --- checkpoint.cpp -------------------------------------------------------------------------------

// Makes outputs from inputs; also called by backward, on whatever thread that uses. Both are handed
// over.
typedef ct_status (*ct_checkpoint_body)(void *context, const ct_tensor *inputs, size_t input_count,
                                  ct_tensor *outputs, size_t output_count);
// Runs `body` so that only its inputs are kept for gradients, on the host if told so, and runs it
// again when they are needed. `release(context)` is called in any case.
ct_status ct_checkpoint(const ct_tensor *inputs, size_t input_count, size_t output_count, bool to_host,
                        ct_checkpoint_body body, void *context, void (*release)(void *), ct_tensor *outputs);

// Hands over a weight [out, in].
typedef ct_status (*ct_weight_request)(void *context, ct_tensor *out);
// x Wᵀ with a weight that gets no gradient and is not kept: it is asked for again by backward.
// `release(context)` is called in any case.
ct_status ct_frozen_linear(ct_tensor x, ct_weight_request body, void *context, void (*release)(void *),
                           ct_tensor *out);

// --- optimizers.cpp, adam8.cpp, rounding.cpp: updates of weights by their gradients ---------------

// What keeps the part of an update that bfloat16 has no room for: nothing, float32 weights,
// randomness, or a bfloat16 tensor of what was rounded off.
typedef enum {
  CT_MASTER_NONE = 0,
  CT_MASTER_FLOAT32 = 1,
  CT_MASTER_STOCHASTIC = 2,
  CT_MASTER_KAHAN = 3,
} ct_master;

// The weight is changed in place. `companion` holds float32 weights or what was rounded off, else
// it is NULL. Steps count from 1; equal seeds and steps round alike.
typedef struct {
  ct_tensor weight, gradient, companion;
  ct_master master;
  uint64_t seed;
  int64_t step;
  double rate, weight_decay;
} ct_update;

typedef struct {
  double beta1, beta2, epsilon;
  bool is_decoupled;  // whether weights decay by themselves, or through the gradient
} ct_adam_settings;

typedef struct {
  double momentum, dampening;
  bool nesterov;
} ct_sgd_settings;

typedef struct {
  double epsilon, clip, decay_power;
} ct_adafactor_settings;

// As torch.optim.Adam and AdamW; moments have the weight's shape, and its type or float32.
ct_status ct_adam(const ct_update *u, const ct_adam_settings *s, ct_tensor mean, ct_tensor square);
// With 8-bit moments and a float32 scale for each 256 of them; `by_operations` is how other
// devices than the CPU do it.
ct_status ct_adam8(const ct_update *u, const ct_adam_settings *s, ct_tensor mean, ct_tensor square,
                   ct_tensor mean_scale, ct_tensor square_scale, bool by_operations);
// The 256 values that 8-bit moments can have in units of their scale.
ct_status ct_dynamic_map(bool is_signed, ct_tensor *out);
// As torch.optim.SGD; the buffer is NULL without momentum.
ct_status ct_sgd(const ct_update *u, const ct_sgd_settings *s, ct_tensor buffer);
// States are float32: means of squares along the last axis and along the one before it, or for
// vectors the squares themselves.
ct_status ct_adafactor(const ct_update *u, const ct_adafactor_settings *s, const ct_tensor *states, size_t count);
// The root of the sum of the squares of all elements of all tensors, in float32.
ct_status ct_norm(const ct_tensor *ts, size_t count, double *out);
ct_status ct_scale_(ct_tensor t, double factor);
// average += share * (value - average), in the average's type.
ct_status ct_average_(ct_tensor average, ct_tensor value, double share);
// float32 to bfloat16, up or down with chances that make the mean exact.
ct_status ct_round_stochastically(ct_tensor from, ct_tensor to, uint64_t seed, bool by_operations);

// --- device.cpp: generators, devices, threads ----------------------------------------------------

ct_status ct_generator_create(ct_device device, uint64_t seed, ct_generator *out);
void ct_generator_release(ct_generator g);
ct_status ct_generator_state(ct_generator g, ct_tensor *out);
ct_status ct_generator_set_state(ct_generator g, ct_tensor state);
ct_status ct_randn(const int64_t *sizes, size_t rank, ct_generator g, ct_dtype dtype, ct_device device, ct_tensor *out);
ct_status ct_rand(const int64_t *sizes, size_t rank, ct_generator g, ct_dtype dtype, ct_device device, ct_tensor *out);
ct_status ct_randint(int64_t low, int64_t high, const int64_t *sizes, size_t rank, ct_generator g,
                     ct_device device, ct_tensor *out);
// Laid out as `t` is, and drawn in that order.
ct_status ct_randn_like(ct_tensor t, ct_generator g, ct_tensor *out);
ct_status ct_random_int64(ct_generator g, int64_t *out);  // 0 or more; on the processor
ct_status ct_randperm(int64_t count, ct_generator g, ct_tensor *out);  // int64, on the processor

// Loads libtorch_cuda.so, which registers itself; an error tells why CUDA cannot be used.
ct_status ct_load_cuda(const char *library);
bool ct_has_cuda(void);
int32_t ct_cuda_device_count(void);
bool ct_has_mps(void);
ct_status ct_synchronize(ct_device device);
ct_status ct_empty_cache(ct_device device);
ct_status ct_device_memory(ct_device device, uint64_t *free_bytes, uint64_t *total_bytes);
ct_status ct_device_peak_memory(ct_device device, uint64_t *allocated_bytes);
int32_t ct_threads(void);
void ct_set_threads(int32_t count);
const char *ct_cpu_capability(void);
const char *ct_torch_version(void);
bool ct_cpu_has_bfloat16(void);
// The library's directory, for finding libtorch_cuda.so beside libtorch_cpu.so; NULL when unknown.
const char *ct_library_folder(void);

// --- distributed.cpp: processes that work together ----------------------------------------------

// Who a process is among others, and where they meet.
typedef struct {
  const char *host;
  int32_t port;
  int32_t rank;
  int32_t size;
  bool serves;         // whether this process answers at `port`; exactly one does
  const char *prefix;  // set before the keys in the store
  int64_t timeout;     // of each operation, in milliseconds
} ct_meeting;

// Whether this libtorch and system have what groups need.
bool ct_group_available(void);
// Waits for all others. Tensors on the CPU go through Gloo, those on `device` through NCCL, which is
// loaded from `nccl` (NULL where `device` is the CPU).
ct_status ct_group_create(const ct_meeting *meeting, ct_device device, const char *nccl, ct_group *out);
void ct_group_release(ct_group g);
// All of a group call the same functions in the same order, with contiguous tensors of equal sizes.
// They return when the result is there, and fail when another process is gone or too late.
ct_status ct_group_sum(ct_group g, ct_tensor t);                     // in place, in all
ct_status ct_group_sum_to(ct_group g, ct_tensor t, int32_t root);    // in place; undefined elsewhere
ct_status ct_group_broadcast(ct_group g, ct_tensor t, int32_t root);
ct_status ct_group_gather(ct_group g, ct_tensor t, ct_tensor out);  // [n] to [size * n]
ct_status ct_group_scatter_sum(ct_group g, ct_tensor t, ct_tensor out);  // [size * n] to [n]
ct_status ct_group_send(ct_group g, ct_tensor t, int32_t to);        // on the CPU
ct_status ct_group_receive(ct_group g, ct_tensor t, int32_t from);   // on the CPU
ct_status ct_group_barrier(ct_group g);

// --- pool_allocator.cpp: large pieces of host memory, on Linux; elsewhere nothing ----------------

// The size from which tensors come from the pool.
#define CT_POOL_SMALLEST (1 << 20)

// Bytes of pieces that are given out, those and what is kept for the next, and the most of both.
typedef struct {
  size_t live, held, peak_live, peak_held;
} ct_pool_usage;

// Has large tensors on the processor come from a pool, for the rest of the process. Freed pieces of
// `limit` bytes and more go back to the system, the rest stays for what is asked next.
void ct_pool_install(size_t limit);
// The pool that was installed, else NULL; it is never released.
ct_pool ct_pool_shared(void);
// A pool that no tensor comes from; NULL where there is none.
ct_pool ct_pool_create(size_t limit);
void ct_pool_release(ct_pool p);
void *ct_pool_take(ct_pool p, size_t bytes);  // NULL where there is no more
void ct_pool_give(ct_pool p, void *piece);
// Changes the limit and gives back all that is free.
void ct_pool_set_limit(ct_pool p, size_t limit);
ct_pool_usage ct_pool_use(ct_pool p);
void ct_pool_reset_peaks(ct_pool p);

// --- counter.cpp: what tensors would take, without any memory ------------------------------------

// Counts as the pool does, with blocks too small for it added up beside. Everything that a thread does on
// CT_META between `begin` and `end` is counted as on `stands_for` with so many threads.
ct_counter ct_counter_create(size_t limit, ct_device_type stands_for, int32_t threads);
void ct_counter_release(ct_counter c);
// Returns the counter that this thread had before.
ct_counter ct_counter_begin(ct_counter c);
void ct_counter_end(ct_counter former);
// The counter of this thread, or NULL.
ct_counter ct_counter_current(void);
// The kind of device that CT_META stands for on this thread; CT_META without a counter.
ct_device_type ct_counter_stands_for(void);
void ct_counter_set_limit(ct_counter c, size_t limit);
ct_pool_usage ct_counter_use(ct_counter c);
void ct_counter_reset_peaks(ct_counter c);

// The most bytes of tensors on the CPU that were alive at once while `body` ran, above those before, as far
// as this thread allocated them; for tests.
ct_status ct_measure_allocations(void (*body)(void *), void *context, int64_t *peak);

#ifdef __cplusplus
}
#endif

#endif
