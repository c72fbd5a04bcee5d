// Defines dims, the structs that describe layers and models. They contain sizes, switches for biases, and the storage type of
// the weights, with all defaults.
#ifndef KRAIT_CORE_DIMS_HPP
#define KRAIT_CORE_DIMS_HPP

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "krait/core/platform.hpp"

namespace krait {

// Returns a / b, rounded up to an integer.
KRAIT_INLINE constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Real is a float32 constant that can be part of a template argument. It stores the bits of the number, because clang before
// version 18 does not support floating-point template arguments.
struct Real {
  std::uint32_t bits = 0;
  constexpr Real() = default;
  template <class Number>
    requires std::is_arithmetic_v<Number>
  KRAIT_INLINE constexpr Real(Number value) : bits(__builtin_bit_cast(std::uint32_t, static_cast<float>(value))) {}
  KRAIT_INLINE static constexpr Real from_bits(std::uint32_t bits) {
    Real result;
    result.bits = bits;
    return result;
  }
  KRAIT_INLINE constexpr operator float() const { return __builtin_bit_cast(float, bits); }
  KRAIT_INLINE bool operator==(const Real&) const = default;
};

// Storage is the type in which the weights of linear layers and embeddings are stored. Other parameters are float32, and so is
// all arithmetic except the integer sums of int8 layers.
//   f32   float32
//   bf16  bfloat16, the upper half of a float32
//   f16   IEEE half precision
//   int8  integers within +-127, with one float32 scale for each output; a layer's inputs are rounded to 16-bit integers
enum class Storage : unsigned char { f32, bf16, f16, int8 };

// ActivationFunction is the function that an Activation layer applies to each channel. gelu_erf is GELU, x Phi(x), where Phi is
// the cumulative distribution function of the standard normal distribution; gelu_tanh is its approximation by tanh.
//   relu       max(x, 0)                  gelu_erf    x (1 + erf(x / sqrt(2))) / 2
//   silu       x / (1 + e^-x)             gelu_tanh   x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
//   sigmoid    1 / (1 + e^-x)             tanh        tanh(x)
enum class ActivationFunction : unsigned char { relu, silu, gelu_erf, gelu_tanh, tanh, sigmoid };

// LinearDims are the dims of Linear: y = W x + bias, where x is [d_in], y is [d_out] and the bias is optional.
struct LinearDims {
  std::size_t d_in = 0;
  std::size_t d_out = 0;
  bool bias = false;
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const LinearDims&) const = default;
};

// Conv1dDims are the dims of Conv1d, a causal depthwise convolution with d_conv taps for each channel.
struct Conv1dDims {
  std::size_t channels = 0;
  std::size_t d_conv = 4;
  bool bias = true;
  KRAIT_INLINE bool operator==(const Conv1dDims&) const = default;
};

// StridedConv1dDims are the dims of StridedConv1d, a convolution over time that combines all channels. A token consists of
// `stride` frames, each of `channels` floats.
struct StridedConv1dDims {
  std::size_t channels = 0;
  std::size_t d_out = 0;
  std::size_t kernel = 0;   // number of frames that one output reads; a multiple of stride
  std::size_t stride = 1;   // number of frames from one output to the next
  std::size_t padding = 0;  // number of zero frames before the first frame; a multiple of stride, at most kernel - stride
  bool bias = true;
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const StridedConv1dDims&) const = default;
};

// NormKind is the formula of a Norm layer: RMSNorm, or LayerNorm, which subtracts the mean first.
enum class NormKind : unsigned char { rms, layer };

// NormDims are the dims of RmsNorm and LayerNorm, which normalise a token of d_model channels. Set `bias` for the weights of a
// PyTorch LayerNorm, which has a bias by default.
struct NormDims {
  std::size_t d_model = 0;
  bool bias = false;
  Real eps = 1e-5;
  KRAIT_INLINE bool operator==(const NormDims&) const = default;
};

// SsmDims are the dims of two layers, SelectiveStateSpaceModel and SelectiveStateSpace. Only SelectiveStateSpace uses d_model,
// its number of outputs.
struct SsmDims {
  std::size_t d_inner = 0;
  std::size_t d_model = 0;   // number of outputs of SelectiveStateSpace, at least 1
  std::size_t d_state = 16;
  std::size_t dt_rank = 0;   // number of inputs of dt_proj; resolve() replaces 0 by ceil(d_inner / 16)
  bool x_bias = false;
  bool dt_bias = false;
  bool out_bias = false;     // whether out_proj has a bias; only SelectiveStateSpace has an out_proj
  Real dt_b_c_eps = 0;       // eps of RMS norms of dt, B and C; 0: no norms. Must be 0 for SelectiveStateSpace
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const SsmDims&) const = default;
};

// KRAIT_DIMS_OF_BLOCK and KRAIT_DIMS_OF_MODEL declare the members of the dims of a block, and of a language model of such
// blocks. members(member) lists those that both have, as member(type, name, default). norm_eps is added to the mean square
// (RMSNorm) or the variance (LayerNorm).
#define KRAIT_DIMS_OF_BLOCK(Dims, members)                                                                            \
  std::size_t d_model = 0;                                                                                            \
  members(KRAIT_DECLARE_DIM)                                                                                          \
  NormKind norm = NormKind::rms; /* kind of the norms around the blocks; LayerNorm: mamba-ssm's rms_norm=False */     \
  Real norm_eps = 1e-5;       /* eps of ResidualBlock's norm */                                                       \
  Storage storage = Storage::f32;                                                                                     \
  KRAIT_INLINE bool operator==(const Dims&) const = default;
#define KRAIT_DIMS_OF_MODEL(Dims, Block, members)                                                                     \
  std::size_t vocab_size = 0;                                                                                         \
  std::size_t d_model = 0;                                                                                            \
  std::size_t n_layers = 4;                                                                                           \
  members(KRAIT_DECLARE_DIM)                                                                                          \
  NormKind norm = NormKind::rms; /* kind of the norms around the blocks; LayerNorm: mamba-ssm's rms_norm=False */     \
  bool tied = true;           /* the output head uses the weight of the embedding */                                  \
  Real norm_eps = 1e-5;       /* eps of the norms before the blocks and of the final norm */                          \
  Storage storage = Storage::f32;                                                                                     \
  KRAIT_INLINE bool operator==(const Dims&) const = default;                                                          \
  KRAIT_INLINE constexpr Block block() const {                                                                        \
    return {.d_model = d_model, members(KRAIT_COPY_DIM) .norm = norm, .norm_eps = norm_eps, .storage = storage};      \
  }
#define KRAIT_DECLARE_DIM(type, name, ...) type name = __VA_ARGS__;
#define KRAIT_COPY_DIM(type, name, ...) .name = name,

// KRAIT_BLOCK_DIMS lists the members that BlockDims and ModelDims have in common. The defaults are mamba-ssm's.
#define KRAIT_BLOCK_DIMS(member)                                                                                      \
  member(std::size_t, d_state, 16)  /* states of each channel */                                                      \
  member(std::size_t, d_conv, 4)    /* taps of the convolution */                                                     \
  member(std::size_t, expand, 0)    /* d_inner / d_model, if d_inner is not given; default 2. resolve() sets it to 0 */ \
  member(std::size_t, d_inner, 0)   /* resolve() replaces 0 by expand * d_model */                                    \
  member(std::size_t, dt_rank, 0)   /* resolve() replaces 0 by ceil(d_model / 16) */                                  \
  member(bool, in_bias, false)      /* biases of in_proj, conv1d, x_proj, dt_proj, out_proj and of the norms */       \
  member(bool, conv_bias, true)                                                                                       \
  member(bool, x_bias, false)                                                                                         \
  member(bool, dt_bias, true)                                                                                         \
  member(bool, out_bias, false)                                                                                       \
  member(bool, norm_bias, false)                                                                                      \
  member(Real, dt_b_c_eps, 0)       /* eps of weightless RMS norms of dt, B and C (FalconMamba: 1e-6); 0: no such norms */

// BlockDims are the dims of a MambaBlock, and of a ResidualBlock that consists of a norm and a MambaBlock.
struct BlockDims {
  KRAIT_DIMS_OF_BLOCK(BlockDims, KRAIT_BLOCK_DIMS)
};

// ModelDims are the dims of Mamba: an embedding, n_layers ResidualBlocks, a norm and an output head.
struct ModelDims {
  KRAIT_DIMS_OF_MODEL(ModelDims, BlockDims, KRAIT_BLOCK_DIMS)
};
#undef KRAIT_BLOCK_DIMS

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// Returns the dims of a layer or a model with the defaults of d_inner and dt_rank filled in.
template <class Dims>
constexpr Dims resolve_inner(Dims dims) {
  if constexpr (requires { dims.expand; })
    if (dims.d_inner == 0) {
      dims.d_inner = (dims.expand == 0 ? 2 : dims.expand) * dims.d_model;
      dims.expand = 0;
    }
  if constexpr (requires { dims.dt_rank; })
    if (dims.dt_rank == 0) dims.dt_rank = ceil_div(requires { dims.expand; } ? dims.d_model : dims.d_inner, 16);
  return dims;
}

// resolve(dims) returns dims with every default filled in, so that dims which describe the same shape in different ways become
// equal, and name the same model type. Resolved dims resolve to themselves. A braced list is taken as ModelDims, as in
// resolve({.vocab_size = 256, .d_model = 128}).
constexpr ModelDims resolve(ModelDims dims) { return resolve_inner(dims); }
template <class Dims>
  requires requires { &Dims::d_inner; }
constexpr Dims resolve(Dims dims) { return resolve_inner(dims); }

// Returns dims with another storage type for the weights of linear layers and embeddings.
template <class Dims>
constexpr Dims with_storage(Dims dims, Storage storage) {
  dims.storage = storage;
  return dims;
}

// noxton(dims) returns the dims of a model that is configured as the models of the JAX library noxton. in_proj, conv1d,
// out_proj and the norms have biases; x_proj and dt_proj have none; the head is tied; and vocab_size is rounded up to a
// multiple of 8. These settings replace those in `dims`. Other members are kept, and defaults are filled in.
constexpr ModelDims noxton(ModelDims dims) {
  dims.vocab_size = ceil_div(dims.vocab_size, 8) * 8;
  dims.in_bias = dims.conv_bias = dims.out_bias = dims.norm_bias = true;
  dims.x_bias = dims.dt_bias = false;
  dims.tied = true;
  return resolve(dims);
}

// block_dims and norm_dims return the dims of the blocks and the norms of a model; ssm_dims returns the dims of the recurrence
// of a block. A braced list is taken as ModelDims.
constexpr BlockDims block_dims(const ModelDims& dims) { return dims.block(); }
template <class Dims>
  requires requires(const Dims& dims) { dims.block(); }
constexpr auto block_dims(const Dims& dims) { return dims.block(); }
constexpr SsmDims ssm_dims(const BlockDims& b) {
  return {.d_inner = b.d_inner, .d_state = b.d_state, .dt_rank = b.dt_rank, .x_bias = b.x_bias, .dt_bias = b.dt_bias,
          .dt_b_c_eps = b.dt_b_c_eps, .storage = b.storage};
}
constexpr NormDims norm_dims(const auto& b) { return {.d_model = b.d_model, .bias = b.norm_bias, .eps = b.norm_eps}; }

}  // namespace krait::inline KRAIT_BUILD

#endif
