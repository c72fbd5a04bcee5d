// Runs SelectiveStateSpaceModel and SelectiveStateSpace.
#if defined(KRAIT_OPS_SSM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_SSM_INL_HPP
#undef KRAIT_OPS_SSM_INL_HPP
#else
#define KRAIT_OPS_SSM_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"
#include "krait/kernels/scan-inl.hpp"
#include "krait/nn/ssm.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Replaces n inputs x of SelectiveStateSpaceModel or SelectiveStateSpace by the outputs y of the recurrence. The channels of
// each token are padded to a multiple of 16. The output projection of SelectiveStateSpace is left to the caller.
template <std::size_t tokens, class Ssm, class States, class InnerScratch>
HWY_INLINE void apply_ssm(const Ssm& layer, States& states, InnerScratch& scratch, TokenSpan<float> xy, std::size_t n) {
  constexpr std::size_t channels = padded(Ssm::d_inner);
  constexpr std::size_t C_rows = Ssm::per_channel ? channels * Ssm::d_state : Ssm::d_state;
  auto& projected = scratch.projected.template restart<typename Ssm::template Projected<tokens>>();
  const TokenSpan<float> x_dbl = projected.x_dbl.span();
  constexpr std::size_t x_outputs = ceil_div(Ssm::C_start + C_rows, lanes) * lanes;
  apply_linear<tokens, x_outputs>(layer.x_proj, states, scratch.start_x(), xy.as_const(), x_dbl, n);
  if constexpr (Ssm::dt_b_c_eps > 0.0f) {
    for (std::size_t t = 0; t < n; ++t) {
      rms_norm_in_place(x_dbl[t], Ssm::dt_b_c_eps, Ssm::dt_rank);
      rms_norm_in_place(x_dbl[t] + Ssm::B_start, Ssm::dt_b_c_eps, Ssm::d_state);
      rms_norm_in_place(x_dbl[t] + Ssm::C_start, Ssm::dt_b_c_eps, Ssm::d_state);
    }
  }
  const TokenSpan<float> delta = scratch.start_delta().span();
  const auto dt = inputs_for(layer.dt_proj.weight, projected.dt, x_dbl.as_const(), n);
  split(states, channels, n * channels * (Ssm::dt_rank + 8 * Ssm::d_state), [&](Range part) KRAIT_LAMBDA {
    multiply<tokens, channels>(states, layer.dt_proj.weight, bias_of(layer.dt_proj), dt, delta, n, part);
    for (std::size_t t = 0; t < n; ++t) softplus_row(delta[t] + part.begin, part.size());
    each_sequence(states, n, [&](auto& state, std::size_t first, std::size_t count) KRAIT_LAMBDA {
      const std::size_t first_state = part.begin * Ssm::d_state, B_C = Ssm::per_channel ? first_state : 0;
      selective_scan<Ssm::per_channel>({.A2 = layer.A_log.data() + first_state,
                                        .D = layer.D.data() + part.begin,
                                        .h = state.h.data() + first_state,
                                        .delta = delta.from(first).from_channel(part.begin).as_const(),
                                        .B = x_dbl.from(first).from_channel(Ssm::B_start + B_C).as_const(),
                                        .C = x_dbl.from(first).from_channel(Ssm::C_start + B_C).as_const(),
                                        .x = xy.from(first).from_channel(part.begin).as_const(),
                                        .y = xy.from(first).from_channel(part.begin),
                                        .d_state = Ssm::d_state,
                                        .tokens = count},
                                       part.size());
    });
  });
}

template <std::size_t tokens, SsmDims dims, StatesOf<SelectiveStateSpaceModel<dims>> States>
HWY_INLINE void run(const SelectiveStateSpaceModel<dims>& layer, States& state,
                    Scratch<SelectiveStateSpaceModel<dims>, tokens>& scratch, TokenSpan<const float> in, TokenSpan<float> out,
                    std::size_t n) {
  const TokenSpan<float> xy = scratch.xy.span();
  for (std::size_t t = 0; t < n; ++t) copy_padded(in[t], xy[t], dims.d_inner);
  apply_ssm<tokens>(layer, state, scratch.inner, xy, n);
  for (std::size_t t = 0; t < n; ++t) copy_floats(xy[t], out[t], dims.d_inner);
}

template <std::size_t tokens, SsmDims dims, StatesOf<SelectiveStateSpace<dims>> States>
HWY_INLINE void run(const SelectiveStateSpace<dims>& layer, States& state, Scratch<SelectiveStateSpace<dims>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  const TokenSpan<float> xy = scratch.xy.span();
  for (std::size_t t = 0; t < n; ++t) copy_padded(in[t], xy[t], dims.d_inner);
  apply_ssm<tokens>(layer, state, scratch.inner, xy, n);
  apply_linear<tokens, dims.d_model>(layer.out_proj, state, scratch.inner.start_x(), xy.as_const(), out, n);
}

KRAIT_END_TARGET

#endif
