// Runs Mamba2Block: the projections, the convolution, the recurrence of the heads, the gate and the norm.
#if defined(KRAIT_OPS_MAMBA2_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA2_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA2_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA2_BLOCK_INL_HPP
#endif

#include "krait/kernels/head_scan-inl.hpp"
#include "krait/kernels/norm-inl.hpp"
#include "krait/nn/mamba2_block.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Computes delta and the decays [heads] of one token, padded to a multiple of 16. On entry, `delta` contains the outputs dt of
// in_proj.
template <Mamba2BlockDims given>
HWY_INLINE void compute_step_sizes(const Mamba2Block<given>& block, float* delta, float* decay) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  constexpr bool no_limit = dims.dt_limit == Mamba2BlockDims{}.dt_limit;
  step_sizes_row<no_limit>(delta, block.dt_bias.data(), block.A_log.data(), dims.dt_limit[0], dims.dt_limit[1], decay,
                           Mamba2Block<given>::heads);
}

// Applies the norm of the block to the channels of one token in place, if the block has a norm.
template <Mamba2BlockDims given>
HWY_INLINE void apply_gated_norm([[maybe_unused]] const Mamba2Block<given>& block, [[maybe_unused]] float* y) {
  constexpr const Mamba2BlockDims& dims = Mamba2Block<given>::block_dims;
  constexpr std::size_t of_group = dims.d_inner / dims.ngroups;
  if constexpr (dims.rmsnorm)
    for (std::size_t c = 0; c < dims.d_inner; c += of_group)
      rms_norm_row(y + c, block.norm.weight.data() + c, nullptr, dims.mixer_norm_eps, y + c, of_group);
}

template <std::size_t tokens, Mamba2BlockDims given, StatesOf<Mamba2Block<given>> States>
HWY_INLINE void run(const Mamba2Block<given>& block, States& state, Scratch<Mamba2Block<given>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  using Block = Mamba2Block<given>;
  constexpr const Mamba2BlockDims& dims = Block::block_dims;  // the dims `given`, with valid values in place of invalid ones
  constexpr std::size_t heads = Block::heads, channels = padded(dims.d_inner), conv_channels = padded(Block::conv_channels);
  using Scratch = typename Block::template Scratch<tokens>;
  auto& inner = scratch.work.template restart<typename Scratch::Inner>();
  const TokenSpan<float> xBC = scratch.xBC.span(), z = inner.z.span(), delta = z, decay = z.from_channel(padded(heads));
  const auto u = inputs_for(block.in_proj.weight, inner.in_proj, in, n);
  const float* bias = bias_of(block.in_proj);
  // Computes `outputs` outputs of in_proj, starting with output number `first`, and writes them to `to`. An executor may divide
  // the outputs into parts. After each part, calls after(part), which processes the outputs of this part.
  const auto project_in = [&]<std::size_t outputs>(std::integral_constant<std::size_t, outputs>, TokenSpan<float> to,
                                                   std::size_t first, auto after) KRAIT_LAMBDA {
    split(state, outputs, n * outputs * dims.d_model, [&](Range part) KRAIT_LAMBDA {
      multiply<tokens, outputs>(state, block.in_proj.weight, bias, u, to, n, part, first);
      after(part);
    });
  };
  project_in(std::integral_constant<std::size_t, padded(heads)>{}, delta, Block::in_order.tail_start(), [](Range) {});
  project_in(std::integral_constant<std::size_t, conv_channels>{}, xBC, Block::in_order.group_start(0),
             [&](Range part) KRAIT_LAMBDA {
    each_sequence(state, n, [&](auto& one, std::size_t begin, std::size_t count) KRAIT_LAMBDA {
      apply_conv1d(block.conv1d, one.conv_state, xBC.from(begin), count, part, Silu{});
    });
  });
  for (std::size_t t = 0; t < n; ++t) compute_step_sizes(block, delta[t], decay[t]);
  constexpr std::size_t state_channels = heads * padded(dims.headdim);
  split(state, state_channels, 3 * n * state_channels * dims.d_state, [&](Range part) KRAIT_LAMBDA {
    each_sequence(state, n, [&](auto& one, std::size_t first, std::size_t count) KRAIT_LAMBDA {
      head_scan<dims.D_has_hdim>({.D = block.D.data(),
                                  .h = one.h.data(),
                                  .decay = decay.from(first).as_const(),
                                  .delta = delta.from(first).as_const(),
                                  .B = xBC.from(first).from_channel(Block::B_start).as_const(),
                                  .C = xBC.from(first).from_channel(Block::C_start).as_const(),
                                  .x = xBC.from(first),
                                  .headdim = dims.headdim,
                                  .heads_per_group = heads / dims.ngroups,
                                  .d_state = dims.d_state,
                                  .tokens = count},
                                 part);
    });
  });
  if constexpr (dims.norm_before_gate)
    for (std::size_t t = 0; t < n; ++t) apply_gated_norm(block, xBC[t]);
  // The gate z is computed only after the recurrence, because it is stored in the same memory as delta and the decays. The
  // inputs u are still valid: if inputs_for stored them in the scratch, no other linear layer has overwritten them.
  if constexpr (tokens == 1) {
    for (std::size_t c = 0; c < channels; c += Block::z_part) {
      const Range part{0, std::min(channels - c, Block::z_part)};
      multiply<1, Block::z_part>(state, block.in_proj.weight, bias, u, z, n, part, c);
      gate_row(xBC[0] + c, z[0], part.size());
    }
  } else {
    project_in(std::integral_constant<std::size_t, channels>{}, z, 0, [&](Range part) KRAIT_LAMBDA {
      for (std::size_t t = 0; t < n; ++t) gate_row(xBC[t] + part.begin, z[t] + part.begin, part.size());
    });
  }
  if constexpr (!dims.norm_before_gate)
    for (std::size_t t = 0; t < n; ++t) apply_gated_norm(block, xBC[t]);
  auto& out_scratch = scratch.work.template restart<typename Scratch::OutScratch>();
  apply_linear<tokens, dims.d_model>(block.out_proj, state, out_scratch, xBC.as_const(), out, n);
}

KRAIT_END_TARGET

#endif
