// MambaBlock and ResidualBlock.
#if defined(KRAIT_OPS_MAMBA_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA_BLOCK_INL_HPP
#endif

#include "krait/nn/residual_block.hpp"
#include "krait/ops/ssm-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait {
namespace HWY_NAMESPACE {

template <std::size_t tokens, BlockDims dims>
HWY_INLINE void run(const MambaBlock<dims>& block, typename MambaBlock<dims>::State& state,
                    typename MambaBlock<dims>::template Scratch<tokens>& scratch, Rows<const float> in, Rows<float> out,
                    std::size_t n) {
  using Block = MambaBlock<dims>;
  const Rows<float> x = rows_of(scratch.x), z = rows_of(scratch.ssm.delta);
  // in_proj's x first; its z only when the scan has used delta up, which is where it goes. A loop of two, so that the code of
  // in_proj is there once.
  for (std::size_t half = 0; half < 2; ++half) {
    apply_linear<tokens, padded(dims.d_inner)>(block.in_proj, scratch.linear, in, half == 0 ? x : z, n,
                                               Block::xz_order.group_start(half));
    if (half == 0) {
      apply_conv1d(block.conv1d, state.conv_state, x, n, Silu{});
      apply_ssm<tokens>(block.ssm, state.ssm_state, scratch.ssm, scratch.linear, x, n);
    }
  }
  for (std::size_t t = 0; t < n; ++t) gate_row(x[t], z[t], padded(dims.d_inner));
  apply_linear<tokens, dims.d_model>(block.out_proj, scratch.linear, x.as_const(), out, n);
}

template <std::size_t tokens, BlockDims dims>
HWY_NOINLINE void run(const ResidualBlock<dims>& block, typename ResidualBlock<dims>::State& state,
                      typename ResidualBlock<dims>::template Scratch<tokens>& scratch, Rows<const float> in,
                      Rows<float> out, std::size_t n) {
  NoState none;
  NoScratch<tokens> no_scratch;
  const Rows<float> row = rows_of(scratch.row);
  run<tokens>(block.norm, none, no_scratch, in, row, n);
  run<tokens>(block.mixer, state, scratch.mixer, row.as_const(), row, n);
  for (std::size_t t = 0; t < n; ++t) add_row(in[t], row[t], out[t], dims.d_model);
}

}  // namespace HWY_NAMESPACE
}  // namespace krait
HWY_AFTER_NAMESPACE();

#endif
