// Training of SelectiveStateSpaceModel and SelectiveStateSpace: the forward pass fills a tape, and the backward pass
// computes the gradients from it.
#if defined(KRAIT_TRAIN_SSM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_SSM_INL_HPP
#undef KRAIT_TRAIN_SSM_INL_HPP
#else
#define KRAIT_TRAIN_SSM_INL_HPP
#endif

#include "krait/kernels/scan_backward-inl.hpp"
#include "krait/ops/ssm-inl.hpp"
#include "krait/train/linear-inl.hpp"
#include "krait/train/norm-inl.hpp"

KRAIT_BEGIN_TARGET

// Runs the recurrence on n inputs x, writes its outputs to y, and fills the tape. The channels of x and y are padded to a
// multiple of 16. The output projection of SelectiveStateSpace is left to the caller.
template <std::size_t tokens, class Ssm>
HWY_INLINE void record_ssm(const Ssm& layer, State<Ssm>& state, krait::detail::SsmTape<Ssm, tokens>& tape,
                           krait::detail::SsmWork<Ssm, tokens>& work, TokenSpan<const float> x, TokenSpan<float> y,
                           std::size_t n) {
  constexpr std::size_t channels = padded(Ssm::d_inner), at_a_time = krait::detail::scan_tokens;
  const NoState none;
  NoScratch<tokens> no_scratch;
  const TokenSpan<float> x_dbl = tape.x_dbl.span(), dt = tape.dt.span(), delta = work.ddt.span();
  apply_linear<tokens, Ssm::XProj::padded_out>(layer.x_proj, none, no_scratch, x, x_dbl, n);
  if constexpr (Ssm::dt_b_c_eps > 0.0f) {
    for (std::size_t t = 0; t < n; ++t) {
      copy_floats(x_dbl[t], tape.projected.span()[t], Ssm::XProj::padded_out);
      rms_norm_in_place(x_dbl[t], Ssm::dt_b_c_eps, Ssm::dt_rank);
      rms_norm_in_place(x_dbl[t] + Ssm::B_start, Ssm::dt_b_c_eps, Ssm::d_state);
      rms_norm_in_place(x_dbl[t] + Ssm::C_start, Ssm::dt_b_c_eps, Ssm::d_state);
    }
  }
  apply_linear<tokens, channels>(layer.dt_proj, none, no_scratch, x_dbl.as_const(), dt, n);
  for (std::size_t t = 0; t < n; ++t) {
    copy_floats(dt[t], delta[t], channels);
    softplus_row(delta[t], channels);
  }
  for (std::size_t first = 0; first < n; first += at_a_time) {
    copy_floats(state.h.data(), tape.states[first / at_a_time].data(), tape.state_floats);
    selective_scan<Ssm::per_channel>({.A2 = layer.A_log.data(),
                                      .D = layer.D.data(),
                                      .h = state.h.data(),
                                      .delta = delta.from(first).as_const(),
                                      .B = x_dbl.from(first).from_channel(Ssm::B_start).as_const(),
                                      .C = x_dbl.from(first).from_channel(Ssm::C_start).as_const(),
                                      .x = x.from(first),
                                      .y = y.from(first),
                                      .d_state = Ssm::d_state,
                                      .tokens = std::min(at_a_time, n - first)},
                                     channels);
  }
}

// Computes the gradients of the recurrence from the gradient dy of its outputs, and writes the gradient of its inputs to dx.
template <std::size_t tokens, class Ssm, class Columns, class G>
HWY_INLINE void ssm_backward(const Ssm& layer, krait::detail::SsmTape<Ssm, tokens>& tape,
                             krait::detail::SsmWork<Ssm, tokens>& work, Columns& columns, TokenSpan<const float> x,
                             TokenSpan<const float> dy, TokenSpan<float> dx, G& gradients, State<Ssm>* dstate, std::size_t n) {
  using krait::detail::gradient_of_member;
  constexpr std::size_t channels = padded(Ssm::d_inner), at_a_time = krait::detail::scan_tokens;
  const TokenSpan<float> dx_dbl = work.dx_dbl.span(), ddt = work.ddt.span(), ddt_low = work.ddt_low.span();
  const TokenSpan<const float> x_dbl = tape.x_dbl.span().as_const(), dt = tape.dt.span().as_const();
  float *A_log = nullptr, *D = nullptr;
  if constexpr (krait::detail::is_trained<G>) {
    A_log = krait::detail::floats_of(gradient_of_member<2>(gradients));
    D = krait::detail::floats_of(gradient_of_member<3>(gradients));
  }
  for (std::size_t t = 0; t < n; ++t) std::memset(dx_dbl[t], 0, dx_dbl.stride * sizeof(float));
  if (dstate) copy_floats(dstate->h.data(), work.dh.data(), work.dh.size());
  else std::memset(work.dh.data(), 0, sizeof(work.dh));
  for (std::size_t first = (n - 1) / at_a_time * at_a_time + at_a_time; first > 0;) {
    first -= at_a_time;
    scan_backward<Ssm::per_channel, at_a_time>({.A2 = layer.A_log.data(),
                                     .D = layer.D.data(),
                                     .h = tape.states[first / at_a_time].data(),
                                     .dt = dt.from(first),
                                     .B = x_dbl.from(first).from_channel(Ssm::B_start),
                                     .C = x_dbl.from(first).from_channel(Ssm::C_start),
                                     .x = x.from(first),
                                     .dy = dy.from(first),
                                     .dx = dx.from(first),
                                     .ddt = ddt.from(first),
                                     .dB = dx_dbl.from(first).from_channel(Ssm::B_start),
                                     .dC = dx_dbl.from(first).from_channel(Ssm::C_start),
                                     .dA_log = A_log,
                                     .dD = D,
                                     .dh = work.dh.data(),
                                     .sums = work.sums.data(),
                                     .d_state = Ssm::d_state,
                                     .tokens = std::min(at_a_time, n - first)},
                                    channels);
  }
  if (dstate) copy_floats(work.dh.data(), dstate->h.data(), work.dh.size());
  auto&& dt_proj = gradient_of_member<1>(gradients);
  linear_backward(layer.dt_proj, x_dbl, ddt.as_const(), ddt_low, dt_proj, n, columns);
  for (std::size_t t = 0; t < n; ++t) {
    copy_floats(ddt_low[t], dx_dbl[t], Ssm::dt_rank);
    if constexpr (Ssm::dt_b_c_eps > 0.0f) {
      const auto part = [&](std::size_t start, std::size_t width) KRAIT_LAMBDA {
        norm_backward<NormKind::rms>(tape.projected.span()[t] + start, nullptr, Ssm::dt_b_c_eps, dx_dbl[t] + start,
                                     dx_dbl[t] + start, nullptr, nullptr, width, false);
      };
      part(0, Ssm::dt_rank);
      part(Ssm::B_start, Ssm::d_state);
      part(Ssm::C_start, Ssm::d_state);
    }
  }
  auto&& x_proj = gradient_of_member<0>(gradients);
  linear_backward(layer.x_proj, x, dx_dbl.as_const(), dx, x_proj, n, columns, true);
}

template <std::size_t tokens, SsmDims dims, class Tape, class Work>
HWY_INLINE void record(const SelectiveStateSpaceModel<dims>& layer, State<SelectiveStateSpaceModel<dims>>& state, Tape& tape,
                       Work& work, TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  record_ssm<tokens>(layer, state, tape, work.ssm, in, work.y.span(), n);
  for (std::size_t t = 0; t < n; ++t) copy_floats(work.y.span()[t], out[t], dims.d_inner);
}
template <std::size_t tokens, bool dx, SsmDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const SelectiveStateSpaceModel<dims>& layer, Tape& tape, Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients,
                         State<SelectiveStateSpaceModel<dims>>* dstate, std::size_t n) {
  ssm_backward<tokens>(layer, tape, work.ssm, work.columns, in, dout.as_const(), dx ? din : work.y.span(), gradients, dstate,
                       n);
}

template <std::size_t tokens, SsmDims dims, class Tape, class Work>
HWY_INLINE void record(const SelectiveStateSpace<dims>& layer, State<SelectiveStateSpace<dims>>& state, Tape& tape, Work& work,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  const NoState none;
  NoScratch<tokens> no_scratch;
  record_ssm<tokens>(layer, state, tape.ssm, work.ssm, in, tape.y.span(), n);
  apply_linear<tokens, dims.d_model>(layer.out_proj, none, no_scratch, tape.y.span().as_const(), out, n);
}
template <std::size_t tokens, bool dx, SsmDims dims, class Tape, class Work, class G>
HWY_INLINE void backward(const SelectiveStateSpace<dims>& layer, Tape& tape, Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<SelectiveStateSpace<dims>>* dstate,
                         std::size_t n) {
  auto&& out_proj = krait::detail::gradient_of_member<4>(gradients);
  linear_backward(layer.out_proj, tape.y.span().as_const(), dout.as_const(), work.dy.span(), out_proj, n, work.columns);
  ssm_backward<tokens>(layer, tape.ssm, work.ssm, work.columns, in, work.dy.span().as_const(), dx ? din : work.du.span(),
                       gradients, dstate, n);
}

KRAIT_END_TARGET

#endif
