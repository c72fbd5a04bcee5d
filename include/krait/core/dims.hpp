// What a layer's sizes are, and every number that follows from them.
#ifndef KRAIT_CORE_DIMS_HPP
#define KRAIT_CORE_DIMS_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "krait/core/platform.hpp"

namespace krait {

KRAIT_INLINE constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// A float32 constant that can be a template argument on every compiler (clang below 18 has no floating-point ones).
struct Real {
  std::uint32_t bits = 0;
  constexpr Real() = default;
  KRAIT_INLINE constexpr Real(double value) : bits(__builtin_bit_cast(std::uint32_t, static_cast<float>(value))) {}
  KRAIT_INLINE constexpr operator float() const { return __builtin_bit_cast(float, bits); }
  KRAIT_INLINE bool operator==(const Real&) const = default;
};

// How the weights of linear layers and embeddings rest. Everything else is f32, and so is all arithmetic but int8's sums.
//   f32   float32
//   bf16  the upper half of a float32
//   f16   IEEE half precision
//   int8  whole numbers within +-127 times one float32 scale for each output; inputs are then rounded to 16 bits
enum class Storage : unsigned char { f32, bf16, f16, int8 };

// Linear: y = W x (+ bias), x [d_in], y [d_out].
struct LinearDims {
  std::size_t d_in = 0;
  std::size_t d_out = 0;
  bool bias = false;
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const LinearDims&) const = default;
};

// Conv1d: causal and depthwise, d_conv taps for each of the channels.
struct Conv1dDims {
  std::size_t channels = 0;
  std::size_t d_conv = 4;
  bool bias = true;
  KRAIT_INLINE bool operator==(const Conv1dDims&) const = default;
};

// RmsNorm over d_model channels.
struct NormDims {
  std::size_t d_model = 0;
  bool bias = false;
  Real eps = 1e-5;
  KRAIT_INLINE bool operator==(const NormDims&) const = default;
};

// SelectiveStateSpaceModel (d_model stays 0) and SelectiveStateSpace (d_model is its output width).
struct SsmDims {
  std::size_t d_inner = 0;
  std::size_t d_model = 0;   // SelectiveStateSpace only: 0 resolves to d_inner
  std::size_t d_state = 16;
  std::size_t dt_rank = 0;   // 0 resolves to ceil(d_inner / 16)
  bool x_bias = false;
  bool dt_bias = false;
  bool out_bias = false;     // SelectiveStateSpace only
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const SsmDims&) const = default;
};

// The fields that BlockDims and ModelDims share, in their order. The defaults are mamba-ssm's.
#define KRAIT_BLOCK_DIMS                                                                                              \
  std::size_t d_state = 16;   /* states of each channel */                                                            \
  std::size_t d_conv = 4;     /* taps of the convolution */                                                           \
  std::size_t expand = 0;     /* d_inner / d_model if d_inner is not given (2 if neither is); 0 once resolved */      \
  std::size_t d_inner = 0;    /* 0 resolves to expand * d_model */                                                    \
  std::size_t dt_rank = 0;    /* 0 resolves to ceil(d_model / 16) */                                                  \
  bool in_bias = false;       /* biases of in_proj, conv1d, x_proj, dt_proj, out_proj and of RMSNorm */               \
  bool conv_bias = true;                                                                                              \
  bool x_bias = false;                                                                                                \
  bool dt_bias = true;                                                                                                \
  bool out_bias = false;                                                                                              \
  bool norm_bias = false;

// MambaBlock and ResidualBlock.
struct BlockDims {
  std::size_t d_model = 0;
  KRAIT_BLOCK_DIMS
  Real norm_eps = 1e-5;       // of ResidualBlock's norm
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const BlockDims&) const = default;
};

// Mamba: embedding, n_layers ResidualBlocks, norm, head.
struct ModelDims {
  std::size_t vocab_size = 0;
  std::size_t d_model = 0;
  std::size_t n_layers = 4;
  KRAIT_BLOCK_DIMS
  bool tied = true;           // the head's weight is the embedding's
  Real norm_eps = 1e-5;       // of every norm
  Storage storage = Storage::f32;
  KRAIT_INLINE bool operator==(const ModelDims&) const = default;
};
#undef KRAIT_BLOCK_DIMS

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

template <class Dims>
constexpr Dims resolve_inner(Dims dims) {
  if (dims.d_inner == 0) {
    dims.d_inner = (dims.expand == 0 ? 2 : dims.expand) * dims.d_model;
    dims.expand = 0;
  }
  if (dims.dt_rank == 0) dims.dt_rank = ceil_div(dims.d_model, 16);
  return dims;
}

// resolve(dims): the same dims with every default filled in, so that two spellings of one shape are one type.
// Resolving twice changes nothing. A braced list is a model's: resolve({.vocab_size = 256, .d_model = 128}).
constexpr ModelDims resolve(ModelDims dims) { return resolve_inner(dims); }

template <std::same_as<BlockDims> Dims>
constexpr BlockDims resolve(Dims dims) { return resolve_inner(dims); }

template <std::same_as<SsmDims> Dims>
constexpr SsmDims resolve(Dims dims) {
  if (dims.dt_rank == 0) dims.dt_rank = ceil_div(dims.d_inner, 16);
  return dims;
}

// The same dims with their weights stored otherwise.
template <class Dims>
constexpr Dims with_storage(Dims dims, Storage storage) {
  dims.storage = storage;
  return dims;
}

// The seed's configuration (noxton's Mamba): biases on in_proj, conv1d, out_proj and the norms, none on dt_proj, a tied
// head, the vocabulary padded to a multiple of 8; whatever was given for these is replaced.
constexpr ModelDims noxton(ModelDims dims) {
  dims.vocab_size = ceil_div(dims.vocab_size, 8) * 8;
  dims.in_bias = dims.conv_bias = dims.out_bias = dims.norm_bias = true;
  dims.x_bias = dims.dt_bias = false;
  dims.tied = true;
  return resolve(dims);
}

// The parts' dims, from the whole's.
constexpr BlockDims block_dims(const ModelDims& m) {
  return {.d_model = m.d_model, .d_state = m.d_state, .d_conv = m.d_conv, .expand = m.expand, .d_inner = m.d_inner,
          .dt_rank = m.dt_rank, .in_bias = m.in_bias, .conv_bias = m.conv_bias, .x_bias = m.x_bias,
          .dt_bias = m.dt_bias, .out_bias = m.out_bias, .norm_bias = m.norm_bias, .norm_eps = m.norm_eps,
          .storage = m.storage};
}
constexpr SsmDims ssm_dims(const BlockDims& b) {
  return {.d_inner = b.d_inner, .d_state = b.d_state, .dt_rank = b.dt_rank, .x_bias = b.x_bias, .dt_bias = b.dt_bias,
          .storage = b.storage};
}
constexpr NormDims norm_dims(const BlockDims& b) { return {.d_model = b.d_model, .bias = b.norm_bias, .eps = b.norm_eps}; }

}  // namespace krait::inline KRAIT_BUILD

#endif
