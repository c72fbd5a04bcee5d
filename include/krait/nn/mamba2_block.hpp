#ifndef KRAIT_NN_MAMBA2_BLOCK_HPP
#define KRAIT_NN_MAMBA2_BLOCK_HPP

#include <algorithm>

#include "krait/core/finite.hpp"
#include "krait/core/text.hpp"
#include "krait/nn/conv1d.hpp"
#include "krait/nn/head_states.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/norm.hpp"

namespace krait {

namespace detail {

template <Mamba2BlockDims dims>
struct Mamba2Facts : SameWidth<Mamba2Facts<dims>, dims.d_model> {
  static constexpr auto block_dims = dims;
  static constexpr std::size_t B_start = dims.d_inner;  // the offset of B in the channels of the convolution
  static constexpr std::size_t C_start = dims.d_inner + dims.ngroups * dims.d_state;
  static constexpr std::size_t conv_channels = dims.d_inner + 2 * dims.ngroups * dims.d_state;
  static constexpr std::size_t heads = dims.d_inner / dims.headdim;
  static constexpr RowLayout in_order{.lead = dims.d_inner, .groups = 1, .channels = conv_channels, .tail = heads};
  using InProj = Linear<LinearDims{.d_in = dims.d_model, .d_out = in_order.rows(), .bias = dims.in_bias,
                                   .storage = dims.storage}, in_order>;
  using Conv = Conv1d<Conv1dDims{.channels = conv_channels, .d_conv = dims.d_conv, .bias = dims.conv_bias}>;
  using SkipWeight = Vector<plain(dims.D_has_hdim ? dims.d_inner : heads)>;
  using GatedNorm = RmsNorm<NormDims{.d_model = dims.d_inner, .eps = dims.mixer_norm_eps}>;
  using OutProj = Linear<LinearDims{.d_in = dims.d_inner, .d_out = dims.d_model, .bias = dims.out_bias,
                                    .storage = dims.storage}>;
  static constexpr std::size_t multiply_adds = InProj::multiply_adds + Conv::multiply_adds +
                                               3 * dims.d_inner * dims.d_state + 2 * dims.d_inner +
                                               (dims.rmsnorm ? dims.d_inner : 0) + OutProj::multiply_adds;
  // A step computes z in parts of z_part channels, so that the scratch needs memory for only one part. A part is the output of
  // two panels of in_proj's weight, or of one panel if d_inner is at most two panels.
  static constexpr std::size_t z_part = dims.d_inner > 2 * panel_width ? 2 * panel_width : panel_width;
  static constexpr auto kind_text = [] {
    Text<160> text("mamba2 headdim ");
    ((text += dims.headdim) += " ngroups ") += dims.ngroups;
    if (dims.rmsnorm && dims.norm_before_gate) text += " norm_before_gate";
    // The limits and eps are appended as the bits of a float32, in decimal, because a Text cannot append floats.
    if (dims.rmsnorm) (text += " mixer_norm_eps ") += dims.mixer_norm_eps.bits;
    (((text += " dt_limit ") += dims.dt_limit[0].bits) += " ") += dims.dt_limit[1].bits;
    return text;
  }();
  static constexpr std::string_view structure_kind = kind_text;

  struct State {
    typename Conv::State conv_state;                // the latest inputs of the convolution, shape [conv_channels, d_conv - 1]
    HeadStates<heads, dims.headdim, dims.d_state> h{};  // the state of the recurrence, shape [heads, headdim, d_state]
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return conv_state.is_finite() && detail::all_finite(h.values); }
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, conv_channels> xBC;  // x, B and C; y overwrites x
    struct Inner {
      // Contains delta and the decays first. Later, z overwrites them.
      TokenBuffer<tokens, std::max(tokens == 1 ? std::min(dims.d_inner, z_part) : dims.d_inner, 2 * padded(heads))> z;
      [[no_unique_address]] LinearScratch<tokens, dims.d_model, dims.storage> in_proj;
    };
    using OutScratch = LinearScratch<tokens, dims.d_inner, dims.storage>;
    AnyOf<Inner, OutScratch> work;  // Inner until y is complete, then the scratch of out_proj
  };
};

}  // namespace detail

// Mamba2Block is the mixer of Mamba-2 (arXiv 2405.21060), without the norm and the residual connection around it. The d_inner
// channels of x form heads of headdim channels. Each head has one delta and one A. It also has one D, unless dims.D_has_hdim is
// true: then each channel has a D. The heads of a group share B and C [d_state]. The block maps an input u [d_model] to an
// output [d_model]:
//   z, xBC, dt = in_proj(u);  x, B, C = SiLU(conv1d(xBC))
//   delta = softplus(dt + dt_bias), limited to dt_limit;  A = -exp(A_log)
//   h = exp(delta A) h + delta x B;  y = C . h + D x
//   output = out_proj(norm(y * SiLU(z))), or out_proj(norm(y) * SiLU(z)) if dims.norm_before_gate is true
// The norm is an RMSNorm over the channels of each group; if dims.rmsnorm is false, there is no norm. tests/data/reference has
// the same computation in numpy (function mamba2_block).
template <Mamba2BlockDims dims>
struct Mamba2Block : detail::Mamba2Facts<dims> {
  using Facts = detail::Mamba2Facts<dims>;
  KRAIT_PARAMS(Mamba2Block,
    (typename Facts::InProj, in_proj),      // weight [2 d_inner + 2 ngroups d_state + heads, d_model]: rows of z, x, B, C, dt
    (typename Facts::Conv, conv1d),         // weight [d_inner + 2 ngroups d_state, 1, d_conv]
    (Vector<plain(Facts::heads)>, dt_bias),  // shape [heads]
    (HeadDecayRates<Facts::heads>, A_log),  // shape [heads]
    (typename Facts::SkipWeight, D),        // shape [heads], or [d_inner] if dims.D_has_hdim is true
    (typename Facts::GatedNorm, norm),      // weight [d_inner]
    (typename Facts::OutProj, out_proj));   // weight [d_model, d_inner]
};

template <Mamba2BlockDims dims>
  requires(!check::valid(dims))
struct Mamba2Block<dims> : Mamba2Block<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

template <Mamba2BlockDims dims>
  requires(!dims.rmsnorm && check::valid(dims))
struct Mamba2Block<dims> : detail::Mamba2Facts<dims> {
  using Facts = detail::Mamba2Facts<dims>;
  KRAIT_PARAMS(Mamba2Block,
    (typename Facts::InProj, in_proj),
    (typename Facts::Conv, conv1d),
    (Vector<plain(Facts::heads)>, dt_bias),
    (HeadDecayRates<Facts::heads>, A_log),
    (typename Facts::SkipWeight, D),
    (typename Facts::OutProj, out_proj));
};

}  // namespace krait

#endif
