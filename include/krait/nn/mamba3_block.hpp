#ifndef KRAIT_NN_MAMBA3_BLOCK_HPP
#define KRAIT_NN_MAMBA3_BLOCK_HPP

#include <algorithm>
#include <cstdint>

#include "krait/core/finite.hpp"
#include "krait/core/text.hpp"
#include "krait/nn/head_states.hpp"
#include "krait/nn/linear.hpp"
#include "krait/nn/norm.hpp"

namespace krait {

namespace detail {

template <Mamba3BlockDims dims>
struct Mamba3Facts : SameWidth<Mamba3Facts<dims>, dims.d_model> {
  static constexpr auto block_dims = dims;
  static constexpr std::size_t heads = dims.d_inner / dims.headdim;
  static constexpr std::size_t rank = dims.mimo_rank;
  static constexpr std::size_t angles = angles_of(dims);
  static constexpr std::size_t B_C_rows = dims.ngroups * dims.d_state * dims.mimo_rank;
  static constexpr RowLayout in_order{.lead = dims.d_inner, .groups = 1, .channels = dims.d_inner + 2 * B_C_rows,
                                      .tail = 3 * heads + angles};
  using InProj = Linear<LinearDims{.d_in = dims.d_model, .d_out = in_order.rows(), .bias = dims.in_bias,
                                   .storage = dims.storage}, in_order>;
  using OfStates = HeadMatrix<heads, rank, dims.d_state>;
  using OfChannels = HeadMatrix<heads, rank, dims.headdim>;
  using StateNorm = RmsNorm<NormDims{.d_model = dims.d_state, .eps = dims.mixer_norm_eps}>;
  using ChannelNorm = RmsNorm<NormDims{.d_model = dims.d_inner, .eps = dims.mixer_norm_eps}>;
  using OutProj = Linear<LinearDims{.d_in = dims.d_inner, .d_out = dims.d_model, .bias = dims.out_bias,
                                    .storage = dims.storage}>;
  static constexpr std::size_t multiply_adds =
      InProj::multiply_adds + dims.d_inner * (dims.d_state * (1 + 3 * rank) + 2 * rank) +
      heads * rank * (2 * dims.d_state + 8 * angles) + OutProj::multiply_adds;
  static constexpr auto kind_text = [] {
    Text<160> text("mamba3 headdim ");
    ((((text += dims.headdim) += " ngroups ") += dims.ngroups) += " angles ") += angles;
    // A_floor and eps are appended as the bits of a float32, in decimal, because a Text cannot append floats.
    (((text += " A_floor ") += dims.A_floor.bits) += " mixer_norm_eps ") += dims.mixer_norm_eps.bits;
    return text;
  }();
  static constexpr std::string_view structure_kind = kind_text;

  struct State {
    static constexpr std::size_t angles = Mamba3Facts::angles;
    HeadStates<heads, dims.headdim, dims.d_state> h{};  // the state of the recurrence, shape [heads, headdim, d_state]
    OfStates k{};    // k (B after norm, bias and rotation) of the latest token, shape [heads, mimo_rank, d_state]
    HeadMatrix<heads, 1, dims.headdim> x{};  // x of the latest token, shape [heads, headdim]
    // The angles [heads, angles] by which B and C are rotated, in units of 2^-32 turns. Integers are added without rounding, so
    // the angles do not drift.
    alignas(64) std::array<std::uint32_t, padded(heads * angles)> turns{};
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept {
      return detail::all_finite(h.values) && detail::all_finite(k.values) && detail::all_finite(x.values);
    }
  };
  // Working memory for the recurrence of one head and `at_once` tokens. The sines and cosines are those of as many heads as
  // have 16 angles together, or of one head.
  template <std::size_t at_once>
  struct HeadScratch {
    static constexpr std::size_t tokens = at_once;
    template <std::size_t n>
    struct alignas(64) Rows : std::array<std::array<float, n>, at_once> {};
    Rows<dims.headdim % strip_width == 0 ? 0 : padded(dims.headdim)> x;
    Rows<rank == 1 ? 0 : rank * padded(dims.headdim)> y;
    Rows<rank * padded(dims.d_state)> q, k;
    Rows<padded(angles)> sine, cosine;
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, in_order.padded_rows()> proj;  // the output of in_proj, in which y later overwrites x
    struct Heads {
      TokenBuffer<tokens, 3 * padded(heads)> factors;  // alpha, beta and gamma of every head
      // A call for one token computes the heads one after the other, so one HeadScratch is sufficient. In a call for several
      // tokens, the threads of an executor may compute heads at the same time, so each head has its own HeadScratch.
      std::array<HeadScratch<(tokens == 1 || rank > 1) ? 1 : 2>, tokens == 1 ? 1 : heads> head;
    };
    using InScratch = LinearScratch<tokens, dims.d_model, dims.storage>;
    using OutScratch = LinearScratch<tokens, dims.d_inner, dims.storage>;
    AnyOf<InScratch, Heads, OutScratch> work;  // the scratch of in_proj, then of the heads, then of out_proj
  };
};

}  // namespace detail

// Mamba3Block is the mixer of Mamba-3 (arXiv 2603.15569), without the norm and the residual connection around it. The d_inner
// channels of x form heads of headdim channels, and the heads of a group share B and C [mimo_rank, d_state] before their
// biases. The block maps an input u [d_model] to an output [d_model]:
//   z, x, B, C, dt, a, trap, angle = in_proj(u);  delta = softplus(dt + dt_bias)     delta, a and trap are [heads]
//   A = -max(heavy_tail(a), A_floor), where heavy_tail(a) is 1 + a for a >= 0, and 1 / (1 - a) for a < 0
//   phi = phi + pi tanh(angle) delta     angle is [angles], phi [heads, angles]
//   k = rotate(B_norm(B) + B_bias, phi);  q = rotate(C_norm(C) + C_bias, phi);  v = x mimo_x
//   alpha = exp(A delta);  beta = (1 - sigmoid(trap)) delta alpha;  gamma = sigmoid(trap) delta
//   h = alpha h + beta v' k' + gamma v k, where v' and k' are v and k of the previous token;  y = q . h + D v
//   output = out_proj(sum over mimo_rank of norm(y) * SiLU(z mimo_z) * mimo_o)
// A block is SISO (single input, single output) if mimo_rank is 1, otherwise MIMO (multiple input, multiple output). A SISO
// block has no mimo_x, mimo_z and mimo_o, and its v is x. In the update of h, beta v' k' + gamma v k is summed over the ranks.
// rotate turns two elements of a vector [d_state] by angle i of phi, for each i < angles: elements 2i and 2i + 1 in a SISO
// block, elements i and i + d_state / 2 in a MIMO block. The other elements do not change. The norm is an RMSNorm over the
// channels of each head; if dims.is_outproj_norm is false, there is no norm. tests/data/reference has the same computation in
// numpy (function mamba3_block).
template <Mamba3BlockDims dims>
struct Mamba3Block : detail::Mamba3Facts<dims> {
  using Facts = detail::Mamba3Facts<dims>;
#define KRAIT_MAMBA3_PARAMS                                                                                            \
  (typename Facts::InProj, in_proj), /* weight: the rows of z, x, B, C, dt, a, trap and angle; inputs d_model */       \
  (Vector<plain(Facts::heads)>, dt_bias),   /* shape [heads] */                                                        \
  (Vector<plain(Facts::heads)>, D),         /* shape [heads] */                                                        \
  (typename Facts::OfStates, B_bias),       /* shape [heads, mimo_rank, d_state] */                                    \
  (typename Facts::OfStates, C_bias),       /* shape [heads, mimo_rank, d_state] */                                    \
  (typename Facts::StateNorm, B_norm),      /* weight [d_state] */                                                     \
  (typename Facts::StateNorm, C_norm),      /* weight [d_state] */                                                     \
  (typename Facts::OutProj, out_proj)       /* weight [d_model, d_inner] */
#define KRAIT_MIMO_PARAMS                                                                                              \
  (typename Facts::OfChannels, mimo_x), (typename Facts::OfChannels, mimo_z), /* shape [heads, mimo_rank, headdim] */  \
  (typename Facts::OfChannels, mimo_o)
  KRAIT_PARAMS(Mamba3Block, KRAIT_MAMBA3_PARAMS);
};

template <Mamba3BlockDims dims>
  requires(!check::valid(dims))
struct Mamba3Block<dims> : Mamba3Block<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

template <Mamba3BlockDims dims>
  requires(dims.is_outproj_norm && dims.mimo_rank == 1 && check::valid(dims))
struct Mamba3Block<dims> : detail::Mamba3Facts<dims> {
  using Facts = detail::Mamba3Facts<dims>;
  KRAIT_PARAMS(Mamba3Block, KRAIT_MAMBA3_PARAMS, (typename Facts::ChannelNorm, norm));  // norm: weight [d_inner]
};
template <Mamba3BlockDims dims>
  requires(!dims.is_outproj_norm && dims.mimo_rank > 1 && check::valid(dims))
struct Mamba3Block<dims> : detail::Mamba3Facts<dims> {
  using Facts = detail::Mamba3Facts<dims>;
  KRAIT_PARAMS(Mamba3Block, KRAIT_MAMBA3_PARAMS, KRAIT_MIMO_PARAMS);
};
template <Mamba3BlockDims dims>
  requires(dims.is_outproj_norm && dims.mimo_rank > 1 && check::valid(dims))
struct Mamba3Block<dims> : detail::Mamba3Facts<dims> {
  using Facts = detail::Mamba3Facts<dims>;
  KRAIT_PARAMS(Mamba3Block, KRAIT_MAMBA3_PARAMS, KRAIT_MIMO_PARAMS, (typename Facts::ChannelNorm, norm));
};
#undef KRAIT_MAMBA3_PARAMS
#undef KRAIT_MIMO_PARAMS

}  // namespace krait

#endif
