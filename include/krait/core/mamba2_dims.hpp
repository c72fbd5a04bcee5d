// Defines the dims of Mamba2Block and of the language model Mamba2 (arXiv 2405.21060).
#ifndef KRAIT_CORE_MAMBA2_DIMS_HPP
#define KRAIT_CORE_MAMBA2_DIMS_HPP

#include <array>

#include "krait/core/dims.hpp"

namespace krait {

// KRAIT_MAMBA2_DIMS declares the members that Mamba2BlockDims and Mamba2Dims have in common. Members that also exist in
// mamba-ssm's class Mamba2 have the same names and defaults as in that class. Infinity is written as its bits, because clang 19
// with -ffast-math warns about std::numeric_limits<float>::infinity().
#define KRAIT_MAMBA2_DIMS                                                                                             \
  std::size_t d_state = 128;  /* states of each channel */                                                            \
  std::size_t d_conv = 4;     /* taps of the convolution */                                                           \
  std::size_t expand = 0;     /* d_inner / d_model, if d_inner is not given; default 2. resolve() sets it to 0 */     \
  std::size_t d_inner = 0;    /* resolve() replaces 0 by expand * d_model */                                          \
  std::size_t headdim = 64;   /* channels of a head; divides d_inner */                                               \
  std::size_t ngroups = 1;    /* groups of heads that share B and C; divides the number of heads */                   \
  bool in_bias = false;       /* biases of in_proj, conv1d, out_proj and of the norms around the blocks */            \
  bool conv_bias = true;                                                                                              \
  bool out_bias = false;                                                                                              \
  bool norm_bias = false;                                                                                             \
  bool D_has_hdim = false;    /* D has an element for each channel, not for each head */                              \
  bool rmsnorm = true;        /* an RMSNorm before out_proj, over the channels of each group */                       \
  bool norm_before_gate = false; /* true: norm(y) * SiLU(z); false: norm(y * SiLU(z)) */                              \
  std::array<Real, 2> dt_limit{0, Real::from_bits(0x7F800000)}; /* limits of delta; the bits are infinity */           \
  Real mixer_norm_eps = 1e-5; /* eps of the norm before out_proj */                                                   \
  NormKind norm = NormKind::rms; /* kind of the norms around the blocks */

// Mamba2BlockDims are the dims of a Mamba2Block, and of a ResidualBlock that consists of a norm and a Mamba2Block.
struct Mamba2BlockDims {
  KRAIT_DIMS_OF_BLOCK(Mamba2BlockDims, KRAIT_MAMBA2_DIMS)
};

// Mamba2Dims are the dims of Mamba2: an embedding, n_layers ResidualBlocks, a norm and an output head.
struct Mamba2Dims {
  KRAIT_DIMS_OF_MODEL(Mamba2Dims, KRAIT_MAMBA2_DIMS)
};
#undef KRAIT_MAMBA2_DIMS

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

template <std::same_as<Mamba2Dims> Dims>
constexpr Mamba2BlockDims block_dims(const Dims& m) {
  return {.d_model = m.d_model, .d_state = m.d_state, .d_conv = m.d_conv, .expand = m.expand, .d_inner = m.d_inner,
          .headdim = m.headdim, .ngroups = m.ngroups, .in_bias = m.in_bias, .conv_bias = m.conv_bias,
          .out_bias = m.out_bias, .norm_bias = m.norm_bias, .D_has_hdim = m.D_has_hdim, .rmsnorm = m.rmsnorm,
          .norm_before_gate = m.norm_before_gate, .dt_limit = m.dt_limit, .mixer_norm_eps = m.mixer_norm_eps,
          .norm = m.norm, .norm_eps = m.norm_eps, .storage = m.storage};
}

}  // namespace krait::inline KRAIT_BUILD

#endif
