// Defines the dims of Mamba3Block and of the language model Mamba3 (arXiv 2603.15569).
#ifndef KRAIT_CORE_MAMBA3_DIMS_HPP
#define KRAIT_CORE_MAMBA3_DIMS_HPP

#include "krait/core/dims.hpp"

namespace krait {

// KRAIT_MAMBA3_DIMS lists the members that Mamba3BlockDims and Mamba3Dims have in common. Members that also exist in
// mamba-ssm's class Mamba3 have the same names and defaults as in that class, except mimo_rank: mimo_rank 1 corresponds to
// mamba-ssm's is_mimo = False.
#define KRAIT_MAMBA3_DIMS(member)                                                                                     \
  member(std::size_t, d_state, 128) /* states of each channel */                                                      \
  member(std::size_t, expand, 0)    /* d_inner / d_model, if d_inner is not given; default 2. resolve() sets it to 0 */ \
  member(std::size_t, d_inner, 0)   /* resolve() replaces 0 by expand * d_model */                                    \
  member(std::size_t, headdim, 64)  /* channels of a head; divides d_inner */                                         \
  member(std::size_t, ngroups, 1)   /* groups of heads that share B and C; divides the number of heads */             \
  member(std::size_t, mimo_rank, 1) /* inputs and outputs of a channel; with 1 (SISO) there are no mimo_x, mimo_z, mimo_o */ \
  member(Real, rope_fraction, 0.5)  /* fraction of the d_state elements of B and C that is rotated */                 \
  member(bool, in_bias, false)      /* biases of in_proj, out_proj and of the norms around the blocks */              \
  member(bool, out_bias, false)                                                                                       \
  member(bool, norm_bias, false)                                                                                      \
  member(bool, is_outproj_norm, false) /* an RMSNorm before the gate, over the channels of each head */               \
  member(Real, A_floor, 1e-4)       /* lower bound of -A, where A is computed from the input */                       \
  member(Real, mixer_norm_eps, 1e-5) /* eps of the RMSNorms within the block */

// Mamba3BlockDims are the dims of a Mamba3Block, and of a ResidualBlock that consists of a norm and a Mamba3Block.
struct Mamba3BlockDims {
  KRAIT_DIMS_OF_BLOCK(Mamba3BlockDims, KRAIT_MAMBA3_DIMS)
};

// Mamba3Dims are the dims of Mamba3: an embedding, n_layers ResidualBlocks, a norm and an output head.
struct Mamba3Dims {
  KRAIT_DIMS_OF_MODEL(Mamba3Dims, Mamba3BlockDims, KRAIT_MAMBA3_DIMS)
};
#undef KRAIT_MAMBA3_DIMS

}  // namespace krait

namespace krait::inline KRAIT_BUILD {

// Returns the number of rotation angles of a head: half of d_state * rope_fraction, rounded down. The 1e-4 that is added
// compensates for the rounding of rope_fraction to float32. A rope_fraction below 0 counts as 0, above 1 as 1, and NaN as 0;
// the compile-time checks reject these values.
constexpr std::size_t angles_of(const auto& dims) {
  const double fraction = static_cast<double>(float{dims.rope_fraction});
  const double rotated = static_cast<double>(dims.d_state) * (fraction > 0 ? fraction < 1 ? fraction : 1 : 0) + 1e-4;
  return static_cast<std::size_t>(rotated) / 2;
}

}  // namespace krait::inline KRAIT_BUILD

#endif
