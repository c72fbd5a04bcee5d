// Runs ResidualBlock: y = x + mixer(norm(x)), where the mixer is a MambaBlock, Mamba2Block or Mamba3Block.
#if defined(KRAIT_OPS_RESIDUAL_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_RESIDUAL_BLOCK_INL_HPP
#undef KRAIT_OPS_RESIDUAL_BLOCK_INL_HPP
#else
#define KRAIT_OPS_RESIDUAL_BLOCK_INL_HPP
#endif

#include "krait/nn/residual_block.hpp"
#include "krait/ops/mamba2_block-inl.hpp"
#include "krait/ops/mamba3_block-inl.hpp"
#include "krait/ops/mamba_block-inl.hpp"
#include "krait/ops/norm-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, auto dims, StatesOf<ResidualBlock<dims>> States>
HWY_NOINLINE void run(const ResidualBlock<dims>& block, States& state, Scratch<ResidualBlock<dims>, tokens>& scratch,
                      TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  n = token_count<tokens>(n);
  NoState none;
  NoScratch<tokens> no_scratch;
  const TokenSpan<float> row = scratch.row.span();
  run<tokens>(block.norm, none, no_scratch, in, row, n);
  run<tokens>(block.mixer, state, scratch.mixer, row.as_const(), row, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], row[t], out[t], dims.d_model);
}

KRAIT_END_TARGET

#endif
