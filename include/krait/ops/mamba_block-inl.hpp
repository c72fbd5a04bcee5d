// Runs MambaBlock: the projections, the convolution, the recurrence and the gate.
#if defined(KRAIT_OPS_MAMBA_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#endif

#include "krait/nn/mamba_block.hpp"
#include "krait/ops/conv1d-inl.hpp"
#include "krait/ops/linear-inl.hpp"
#include "krait/ops/ssm-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, BlockDims dims, StatesOf<MambaBlock<dims>> States>
HWY_INLINE void run(const MambaBlock<dims>& block, States& state, Scratch<MambaBlock<dims>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  using Block = MambaBlock<dims>;
  const TokenSpan<float> x = scratch.x.span();
  constexpr std::size_t channels = padded(dims.d_inner), first_z = Block::xz_order.group_start(1);
  // Computes half of in_proj's outputs, x or z, starting with output number `first`, and writes them to `to`. An executor may
  // divide the outputs into parts. After each part, calls after(part), which processes the outputs of this part.
  const auto project_in = [&](TokenSpan<float> to, std::size_t first, auto after) KRAIT_LAMBDA {
    using InputScratch = typename Block::template Scratch<tokens>::InputScratch;
    const auto u = inputs_for(block.in_proj.weight, scratch.ssm.projected.template restart<InputScratch>(), in, n);
    split(state, channels, n * channels * dims.d_model, [&](Range part) KRAIT_LAMBDA {
      multiply<tokens, channels>(state, block.in_proj.weight, bias_of(block.in_proj), u, to, n, part, first);
      after(part);
    });
  };
  project_in(x, 0, [&](Range part) KRAIT_LAMBDA {
    each_sequence(state, n, [&](auto& one, std::size_t begin, std::size_t count) KRAIT_LAMBDA {
      apply_conv1d(block.conv1d, one.conv_state, x.from(begin), count, part, Silu{});
    });
  });
  auto&& ssm_state = part_of(state, [](auto& one) KRAIT_LAMBDA -> auto& { return one.ssm_state; });
  apply_ssm<tokens>(block.ssm, ssm_state, scratch.ssm, x, n);
  // The gate z is computed only after the recurrence, because it is stored in the same memory as delta.
  const TokenSpan<float> z = scratch.ssm.start_delta().span();
  project_in(z, first_z, [&](Range part) KRAIT_LAMBDA {
    for (std::size_t t = 0; t < n; ++t) gate_row(x[t] + part.begin, z[t] + part.begin, part.size());
  });
  apply_linear<tokens, dims.d_model>(block.out_proj, state, scratch.ssm.start_x(), x.as_const(), out, n);
}

KRAIT_END_TARGET

#endif
