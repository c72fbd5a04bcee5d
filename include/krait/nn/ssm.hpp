// Defines SelectiveStateSpaceModel, the recurrence of Mamba, and SelectiveStateSpace, a variant with separate B and C for every
// channel.
#ifndef KRAIT_NN_SSM_HPP
#define KRAIT_NN_SSM_HPP

#include <algorithm>

#include "krait/core/check.hpp"
#include "krait/core/finite.hpp"
#include "krait/nn/linear.hpp"

namespace krait {

namespace detail {
// SsmFacts defines the constants and types that SelectiveStateSpaceModel and SelectiveStateSpace have in common.
template <SsmDims dims, RowLayout x_order>
struct SsmFacts {
  static constexpr bool works_in_place = true;
  static constexpr std::size_t d_inner = dims.d_inner;
  static constexpr std::size_t d_state = dims.d_state;
  static constexpr std::size_t dt_rank = dims.dt_rank;
  static constexpr std::size_t d_in = dims.d_inner;
  static constexpr float dt_b_c_eps = dims.dt_b_c_eps;
  using XProj = Linear<LinearDims{.d_in = dims.d_inner, .d_out = x_order.rows(), .bias = dims.x_bias,
                                  .storage = dims.storage}, x_order>;
  using DtProj = Linear<LinearDims{.d_in = dims.dt_rank, .d_out = dims.d_inner, .bias = dims.dt_bias,
                                   .storage = dims.storage}>;
  static constexpr std::size_t scan_multiply_adds = 3 * dims.d_inner * dims.d_state + dims.d_inner;

  struct State {
    Strips<dims.d_inner, dims.d_state> h{};  // shape [d_inner, d_state]
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return detail::all_finite(h.values); }
  };
  // The scratch of linear layers whose inputs are x or y.
  template <std::size_t tokens>
  using XScratch = LinearScratch<tokens, dims.d_inner, dims.storage>;
  template <std::size_t tokens>
  struct Projected {
    TokenBuffer<tokens, x_order.padded_rows()> x_dbl;  // the output of x_proj: dt, B and C
    [[no_unique_address]] LinearScratch<tokens, dims.dt_rank, dims.storage> dt;
  };
  // The scratch of the recurrence within a MambaBlock. The memory for x and y belongs to the scratch of the block. Before and
  // after the recurrence, the memory of `projected` may hold any of the Others, and that of `delta` an XScratch.
  template <std::size_t tokens, class... Others>
  struct InnerScratch {
    AnyOf<Projected<tokens>, Others...> projected;
    AnyOf<TokenBuffer<tokens, dims.d_inner>, XScratch<tokens>> delta;
    KRAIT_INLINE auto& start_delta() { return delta.template restart<TokenBuffer<tokens, dims.d_inner>>(); }
    KRAIT_INLINE auto& start_x() { return delta.template restart<XScratch<tokens>>(); }
  };
  // The scratch of a recurrence that is used as a layer of its own, with memory for x and y.
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    InnerScratch<tokens> inner;
    TokenBuffer<tokens, dims.d_inner> xy;  // the inputs x, overwritten by the outputs y
  };
};
}  // namespace detail

// SelectiveStateSpaceModel is the recurrence of a Mamba block (arXiv 2312.00752, algorithm 2). It maps x [d_inner] to y
// [d_inner]:
//   dt, B, C = x_proj(x);  delta = softplus(dt_proj(dt))
//   h = exp(delta A) h + delta B x;  y = C . h + D x,  where A = -exp(A_log)
// If dims.dt_b_c_eps is above 0, each of dt, B and C is first divided by its root mean square, as in FalconMamba (arXiv
// 2410.05355): dt / sqrt(mean(dt^2) + dt_b_c_eps), and B and C likewise.
// tests/data/reference has the same computation in numpy (function selective_state_space_model).
template <SsmDims dims>
struct SelectiveStateSpaceModel
    : detail::SsmFacts<dims, plain(dims.dt_rank + 2 * dims.d_state)> {
  using Facts = detail::SsmFacts<dims, plain(dims.dt_rank + 2 * dims.d_state)>;
  static constexpr bool no_segment = true;  // checkpoints have mixer.A_log, not mixer.ssm.A_log
  static constexpr bool per_channel = false;
  static constexpr std::size_t d_out = dims.d_inner;
  static constexpr std::size_t B_start = dims.dt_rank;  // the offset of B in the output of x_proj
  static constexpr std::size_t C_start = dims.dt_rank + dims.d_state;
  static constexpr std::size_t multiply_adds =
      Facts::XProj::multiply_adds + Facts::DtProj::multiply_adds + Facts::scan_multiply_adds;

  KRAIT_PARAMS(SelectiveStateSpaceModel,
    (typename Facts::XProj, x_proj),                  // weight [dt_rank + 2 d_state, d_inner]: the rows of dt, B, C
    (typename Facts::DtProj, dt_proj),                // weight [d_inner, dt_rank]
    (DecayRates<dims.d_inner, dims.d_state>, A_log),  // shape [d_inner, d_state]
    (Vector<plain(dims.d_inner)>, D));                // shape [d_inner]
};

template <SsmDims dims>
  requires(!check::valid(dims))
struct SelectiveStateSpaceModel<dims> : SelectiveStateSpaceModel<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

namespace detail {
constexpr SsmDims with_output(SsmDims dims) {
  if (dims.d_model == 0) dims.d_model = dims.d_inner;
  return dims;
}
constexpr RowLayout per_channel_order(const SsmDims& dims) {
  return {.lead = dims.dt_rank, .groups = 2, .channels = dims.d_inner, .per_channel = dims.d_state};
}
}  // namespace detail

// SelectiveStateSpace is a variant of SelectiveStateSpaceModel with separate B and C for every channel and an output
// projection. It maps x [d_inner] to an output [d_model]. tests/data/reference has the same computation in numpy (function
// selective_state_space).
template <SsmDims dims>
struct SelectiveStateSpace : detail::SsmFacts<dims, detail::per_channel_order(dims)> {
  static_assert(!(dims.dt_b_c_eps > 0.0f),
                "krait::SelectiveStateSpace<dims>: dt_b_c_eps must be 0, because this layer does not normalise dt, B and C");
  using Facts = detail::SsmFacts<dims, detail::per_channel_order(dims)>;
  using OutProj = Linear<LinearDims{.d_in = dims.d_inner, .d_out = dims.d_model, .bias = dims.out_bias,
                                    .storage = dims.storage}>;
  static constexpr bool per_channel = true;
  static constexpr std::size_t d_out = dims.d_model;
  static constexpr std::size_t B_start = detail::per_channel_order(dims).group_start(0);
  static constexpr std::size_t C_start = detail::per_channel_order(dims).group_start(1);
  static constexpr std::size_t multiply_adds = Facts::XProj::multiply_adds + Facts::DtProj::multiply_adds +
                                               Facts::scan_multiply_adds + OutProj::multiply_adds;

  KRAIT_PARAMS(SelectiveStateSpace,
    (typename Facts::XProj, x_proj),    // weight [dt_rank + 2 d_inner d_state, d_inner]: the rows of dt, B, C
    (typename Facts::DtProj, dt_proj),  // weight [d_inner, dt_rank]
    (DecayRates<dims.d_inner, dims.d_state>, A_log),  // shape [d_inner, d_state]
    (Vector<plain(dims.d_inner)>, D),   // shape [d_inner]
    (OutProj, out_proj));               // weight [d_model, d_inner]
};

template <SsmDims dims>
  requires(!check::valid(dims))
struct SelectiveStateSpace<dims> : SelectiveStateSpace<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};
template <SsmDims dims>
  requires(check::valid(dims) && dims.d_model == 0)
struct SelectiveStateSpace<dims> : SelectiveStateSpace<detail::with_output(dims)> {
  static_assert(check::got<dims.d_model>::template at_least<1>,
                "krait::SelectiveStateSpace<dims>: d_model, the number of outputs, must be at least 1");
};

}  // namespace krait

#endif
