// Training of Mamba2Block: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_MAMBA2_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_MAMBA2_BLOCK_INL_HPP
#undef KRAIT_TRAIN_MAMBA2_BLOCK_INL_HPP
#else
#define KRAIT_TRAIN_MAMBA2_BLOCK_INL_HPP
#endif

#include "krait/kernels/head_scan_backward-inl.hpp"
#include "krait/kernels/norm_backward-inl.hpp"
#include "krait/kernels/slope-inl.hpp"
#include "krait/ops/mamba2_block-inl.hpp"
#include "krait/train/conv1d-inl.hpp"

KRAIT_BEGIN_TARGET

// The functions read the dims from block_dims, as `run` does, because clang 16 reads other numbers from members of type Real
// of a deduced template argument.

// Computes delta and the decays of n tokens from the outputs dt of in_proj. Row t of step_sizes receives delta [heads] and the
// decays [heads], each padded to a multiple of 16.
template <Mamba2BlockDims given>
HWY_INLINE void compute_step_sizes(const Mamba2Block<given>& block, TokenSpan<const float> dt, TokenSpan<float> step_sizes,
                                   std::size_t n) {
  constexpr std::size_t wide = padded(Mamba2Block<given>::heads);
  for (std::size_t t = 0; t < n; ++t) {
    copy_floats(dt[t], step_sizes[t], wide);
    compute_step_sizes(block, step_sizes[t], step_sizes[t] + wide);
  }
}

// Computes the inputs of out_proj from the outputs y of the recurrence and the gate z.
template <Mamba2BlockDims given>
HWY_INLINE void gate_and_norm(const Mamba2Block<given>& block, TokenSpan<const float> y, TokenSpan<const float> z,
                              TokenSpan<float> mixed, std::size_t n) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  constexpr std::size_t channels = padded(dims.d_inner);
  for (std::size_t t = 0; t < n; ++t) {
    copy_floats(y[t], mixed[t], channels);
    if constexpr (dims.norm_before_gate) apply_gated_norm(block, mixed[t]);
    gate_row(mixed[t], z[t], channels);
    if constexpr (!dims.norm_before_gate) apply_gated_norm(block, mixed[t]);
  }
}

template <std::size_t tokens, Mamba2BlockDims given, class Tape, class Work>
HWY_INLINE void record(const Mamba2Block<given>& block, State<Mamba2Block<given>>& state, Tape& tape, Work& work,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  using Block = Mamba2Block<given>;
  constexpr std::size_t at_a_time = krait::detail::scan_tokens, state_channels = Block::heads * padded(dims.headdim);
  const NoState none;
  NoScratch<tokens> no_scratch;
  if constexpr (requires { tape.projected; }) {
    const TokenSpan<float> projected = tape.projected.span(), xBC = tape.xBC.span(), y = tape.y.span();
    const TokenSpan<float> mixed = work.mixed.span(), step_sizes = work.step_sizes.span();
    if constexpr (dims.d_conv > 1) copy_floats(state.conv_state.window.data(), tape.conv.data(), tape.conv.size());
    apply_linear<tokens, Block::InProj::padded_out>(block.in_proj, none, no_scratch, in, projected, n);
    constexpr std::size_t conv_channels = padded(Block::conv_channels);
    for (std::size_t t = 0; t < n; ++t) copy_floats(projected[t] + Block::in_order.group_start(0), xBC[t], conv_channels);
    apply_conv1d(block.conv1d, state.conv_state, xBC, n, {0, conv_channels}, Silu{});
    compute_step_sizes(block, projected.from_channel(Block::in_order.tail_start()).as_const(), step_sizes, n);
    copy_tokens_padded(xBC.as_const(), y, dims.d_inner, n);
    for (std::size_t first = 0; first < n; first += at_a_time) {
      copy_floats(state.h.data(), tape.states[first / at_a_time].data(), tape.states[0].size());
      head_scan<dims.D_has_hdim>({.D = block.D.data(),
                                  .h = state.h.data(),
                                  .decay = step_sizes.from(first).from_channel(padded(Block::heads)).as_const(),
                                  .delta = step_sizes.from(first).as_const(),
                                  .B = xBC.from(first).from_channel(Block::B_start).as_const(),
                                  .C = xBC.from(first).from_channel(Block::C_start).as_const(),
                                  .x = y.from(first),
                                  .headdim = dims.headdim,
                                  .heads_per_group = Block::heads / dims.ngroups,
                                  .d_state = dims.d_state,
                                  .tokens = std::min(at_a_time, n - first)},
                                 {0, state_channels});
    }
    gate_and_norm(block, y.as_const(), projected.as_const(), mixed, n);
    apply_linear<tokens, dims.d_model>(block.out_proj, none, no_scratch, mixed.as_const(), out, n);
  } else {
    run<tokens>(block, state, work, in, out, n);
    // `run` has left the inputs of out_proj in work.xBC.
    copy_tokens_padded(work.xBC.span().as_const(), tape.gated.span(), dims.d_inner, n);
  }
}

// Computes the gradients of the recurrence, of conv1d's outputs and of dt from the gradient dy of the recurrence's outputs.
template <std::size_t tokens, Mamba2BlockDims given, class Tape, class Work, class G>
HWY_INLINE void heads_backward(const Mamba2Block<given>& block, Tape& tape, Work& work, TokenSpan<const float> dy,
                               G& gradients, State<Mamba2Block<given>>* dstate, std::size_t n) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  using Block = Mamba2Block<given>;
  using krait::detail::floats_of, krait::detail::gradient_of_member;
  constexpr std::size_t at_a_time = krait::detail::scan_tokens, heads = Block::heads, wide = padded(heads);
  constexpr std::size_t dt_start = Block::in_order.tail_start();
  const TokenSpan<const float> xBC = tape.xBC.span().as_const(), dt = tape.projected.span().from_channel(dt_start).as_const();
  const TokenSpan<float> step_sizes = work.step_sizes.span(), along = work.along.span(), dxBC = work.dxBC.span();
  const TokenSpan<float> ddt = work.dprojected.span().from_channel(dt_start);
  compute_step_sizes(block, dt, step_sizes, n);
  for (std::size_t t = 0; t < n; ++t) std::memset(along[t], 0, 2 * wide * sizeof(float));
  if (dstate) copy_floats(dstate->h.data(), work.dh.data(), work.dh.size());
  else std::memset(work.dh.data(), 0, sizeof(work.dh));
  for (std::size_t first = (n - 1) / at_a_time * at_a_time + at_a_time; first > 0;) {
    first -= at_a_time;
    head_scan_backward<dims.D_has_hdim, at_a_time>({.D = block.D.data(),
                                                    .h = tape.states[first / at_a_time].data(),
                                                    .decay = step_sizes.from(first).from_channel(wide).as_const(),
                                                    .delta = step_sizes.from(first).as_const(),
                                                    .B = xBC.from(first).from_channel(Block::B_start),
                                                    .C = xBC.from(first).from_channel(Block::C_start),
                                                    .x = xBC.from(first),
                                                    .dy = dy.from(first),
                                                    .dx = dxBC.from(first),
                                                    .dB = dxBC.from(first).from_channel(Block::B_start),
                                                    .dC = dxBC.from(first).from_channel(Block::C_start),
                                                    .along_x = along.from(first),
                                                    .along_h = along.from(first).from_channel(wide),
                                                    .dD = floats_of(gradient_of_member<4>(gradients)),
                                                    .dh = work.dh.data(),
                                                    .states = work.states.data(),
                                                    .sums = work.sums.data(),
                                                    .headdim = dims.headdim,
                                                    .heads = heads,
                                                    .heads_per_group = heads / dims.ngroups,
                                                    .d_state = dims.d_state,
                                                    .tokens = std::min(at_a_time, n - first)});
  }
  if (dstate) copy_floats(work.dh.data(), dstate->h.data(), work.dh.size());
  for (std::size_t t = 0; t < n; ++t)
    step_sizes_backward<dims.dt_limit == Mamba2BlockDims{}.dt_limit>(
        dt[t], block.dt_bias.data(), block.A_log.data(), dims.dt_limit[0], dims.dt_limit[1], step_sizes[t],
        step_sizes[t] + wide, along[t], along[t] + wide, ddt[t], floats_of(gradient_of_member<3>(gradients)), heads);
  if (float* bias = floats_of(gradient_of_member<2>(gradients))) add_tokens(ddt.as_const(), n, bias, wide);
  clear_padding(dxBC, Block::conv_channels, n);
}

template <std::size_t tokens, bool dx, Mamba2BlockDims given, class Tape, class Work, class G>
HWY_INLINE void backward(const Mamba2Block<given>& block, Tape& tape, [[maybe_unused]] Work& work, TokenSpan<const float> in,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients, State<Mamba2Block<given>>* dstate,
                         std::size_t n) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  using Block = Mamba2Block<given>;
  using krait::detail::floats_of, krait::detail::gradient_of_member;
  constexpr std::size_t channels = padded(dims.d_inner);
  auto&& out_proj = gradient_of_member<(dims.rmsnorm ? 6 : 5)>(gradients);
  if constexpr (!requires { tape.projected; }) {  // only out_proj is trained
    add_weight_gradients(block.out_proj, tape.gated.span().as_const(), dout.as_const(), out_proj, n);
  } else {
    const TokenSpan<float> y = tape.y.span(), z = tape.projected.span(), dprojected = work.dprojected.span();
    const TokenSpan<float> mixed = work.mixed.span(), dmixed = work.dmixed.span();
    gate_and_norm(block, y.as_const(), z.as_const(), mixed, n);
    linear_backward(block.out_proj, mixed.as_const(), dout.as_const(), dmixed, out_proj, n, work.columns);
    // `mixed` becomes the input of the norm or, if the norm comes first, its output, which is the input of the gate.
    const auto norm = [&]([[maybe_unused]] const float* from, [[maybe_unused]] float* gradient) KRAIT_LAMBDA {
      if constexpr (dims.rmsnorm) {
        constexpr std::size_t of_group = dims.d_inner / dims.ngroups;
        float* weight = nullptr;
        if constexpr (krait::detail::is_trained<decltype(gradient_of_member<5>(gradients))>)
          weight = floats_of(gradient_of_member<0>(gradient_of_member<5>(gradients)));
        for (std::size_t c = 0; c < dims.d_inner; c += of_group)
          norm_backward<NormKind::rms>(from + c, block.norm.weight.data() + c, dims.mixer_norm_eps, gradient + c, gradient + c,
                                       weight ? weight + c : nullptr, nullptr, of_group, false);
      }
    };
    for (std::size_t t = 0; t < n; ++t) {
      copy_floats(y[t], mixed[t], channels);
      if constexpr (dims.rmsnorm && dims.norm_before_gate) {
        apply_gated_norm(block, mixed[t]);
        gate_backward(mixed[t], z[t], dmixed[t], dmixed[t], dprojected[t], channels);
        norm(y[t], dmixed[t]);
      } else {
        gate_row(mixed[t], z[t], channels);
        norm(mixed[t], dmixed[t]);
        gate_backward(y[t], z[t], dmixed[t], dmixed[t], dprojected[t], channels);
      }
    }
    heads_backward<tokens>(block, tape, work, dmixed.as_const(), gradients, dstate, n);
    auto&& conv1d = gradient_of_member<1>(gradients);
    constexpr std::size_t xBC_start = Block::in_order.group_start(0);
    apply_conv1d_backward<true>(block.conv1d, tape.conv.data(), tape.projected.span().from_channel(xBC_start).as_const(),
                                work.dxBC.span(), dprojected.from_channel(xBC_start), conv1d,
                                dstate ? &dstate->conv_state : nullptr, n);
    auto&& in_proj = gradient_of_member<0>(gradients);
    linear_backward<dx>(block.in_proj, in, dprojected.as_const(), din, in_proj, n, work.columns);
  }
}

KRAIT_END_TARGET

#endif
