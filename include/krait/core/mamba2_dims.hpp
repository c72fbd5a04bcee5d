// Defines the dims of Mamba2Block and of the language model Mamba2 (arXiv 2405.21060).
#ifndef KRAIT_CORE_MAMBA2_DIMS_HPP
#define KRAIT_CORE_MAMBA2_DIMS_HPP

#include <array>

#include "krait/core/dims.hpp"

namespace krait {

namespace detail {
using Limits = std::array<Real, 2>;  // a name for the type of dt_limit that has no comma, for the macro below
}  // namespace detail

// KRAIT_MAMBA2_DIMS lists the members that Mamba2BlockDims and Mamba2Dims have in common. Members that also exist in
// mamba-ssm's class Mamba2 have the same names and defaults as in that class. Infinity is written as its bits, because clang 19
// with -ffast-math warns about std::numeric_limits<float>::infinity().
#define KRAIT_MAMBA2_DIMS(member)                                                                                     \
  member(std::size_t, d_state, 128) /* states of each channel */                                                      \
  member(std::size_t, d_conv, 4)    /* taps of the convolution */                                                     \
  member(std::size_t, expand, 0)    /* d_inner / d_model, if d_inner is not given; default 2. resolve() sets it to 0 */ \
  member(std::size_t, d_inner, 0)   /* resolve() replaces 0 by expand * d_model */                                    \
  member(std::size_t, headdim, 64)  /* channels of a head; divides d_inner */                                         \
  member(std::size_t, ngroups, 1)   /* groups of heads that share B and C; divides the number of heads */             \
  member(bool, in_bias, false)      /* biases of in_proj, conv1d, out_proj and of the norms around the blocks */      \
  member(bool, conv_bias, true)                                                                                       \
  member(bool, out_bias, false)                                                                                       \
  member(bool, norm_bias, false)                                                                                      \
  member(bool, D_has_hdim, false)   /* D has an element for each channel, not for each head */                        \
  member(bool, rmsnorm, true)       /* an RMSNorm before out_proj, over the channels of each group */                 \
  member(bool, norm_before_gate, false) /* true: norm(y) * SiLU(z); false: norm(y * SiLU(z)) */                       \
  member(detail::Limits, dt_limit, {0, Real::from_bits(0x7F800000)}) /* limits of delta; the bits are infinity */             \
  member(Real, mixer_norm_eps, 1e-5) /* eps of the norm before out_proj */

// Mamba2BlockDims are the dims of a Mamba2Block, and of a ResidualBlock that consists of a norm and a Mamba2Block.
struct Mamba2BlockDims {
  KRAIT_DIMS_OF_BLOCK(Mamba2BlockDims, KRAIT_MAMBA2_DIMS)
};

// Mamba2Dims are the dims of Mamba2: an embedding, n_layers ResidualBlocks, a norm and an output head.
struct Mamba2Dims {
  KRAIT_DIMS_OF_MODEL(Mamba2Dims, Mamba2BlockDims, KRAIT_MAMBA2_DIMS)
};
#undef KRAIT_MAMBA2_DIMS

}  // namespace krait

#endif
