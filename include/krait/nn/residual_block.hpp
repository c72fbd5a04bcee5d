#ifndef KRAIT_NN_RESIDUAL_BLOCK_HPP
#define KRAIT_NN_RESIDUAL_BLOCK_HPP

#include <type_traits>

#include "krait/nn/mamba2_block.hpp"
#include "krait/nn/mamba3_block.hpp"
#include "krait/nn/mamba_block.hpp"
#include "krait/nn/norm.hpp"

namespace krait {

namespace detail {
// MixerOf<dims>::type is the type of the Mamba block in a ResidualBlock<dims>.
template <auto dims>
struct MixerOf;
template <BlockDims dims>
struct MixerOf<dims> : std::type_identity<MambaBlock<dims>> {};
template <Mamba2BlockDims dims>
struct MixerOf<dims> : std::type_identity<Mamba2Block<dims>> {};
template <Mamba3BlockDims dims>
struct MixerOf<dims> : std::type_identity<Mamba3Block<dims>> {};
}  // namespace detail

// ResidualBlock is a Mamba block with a norm and a residual connection: y = x + mixer(norm(x)), where x and y are [d_model].
// The type of the dims selects the mixer: MambaBlock for BlockDims, Mamba2Block for Mamba2BlockDims, Mamba3Block for
// Mamba3BlockDims. The norm is RMSNorm or LayerNorm, as dims.norm selects.
template <detail::DimsOfBlock auto dims>
struct ResidualBlock : detail::SameWidth<ResidualBlock<dims>, dims.d_model> {
  using Mixer = typename detail::MixerOf<dims>::type;
  using Norm = krait::Norm<dims.norm, norm_dims(dims)>;
  static constexpr std::size_t multiply_adds = Norm::multiply_adds + Mixer::multiply_adds;

  KRAIT_PARAMS(ResidualBlock,
    (Norm, norm),     // weight [d_model]
    (Mixer, mixer));  // the Mamba block

  using State = typename Mixer::State;
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, dims.d_model> row;  // norm(x), overwritten by mixer(norm(x))
    typename Mixer::template Scratch<tokens> mixer;
  };
};

template <detail::DimsOfBlock auto dims>
  requires(!check::valid(dims))
struct ResidualBlock<dims> : ResidualBlock<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

}  // namespace krait

#endif
