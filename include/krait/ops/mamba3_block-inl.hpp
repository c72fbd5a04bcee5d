// Runs Mamba3Block: the projections, the norms of B and C, and the recurrence of the heads.
#if defined(KRAIT_OPS_MAMBA3_BLOCK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_MAMBA3_BLOCK_INL_HPP
#undef KRAIT_OPS_MAMBA3_BLOCK_INL_HPP
#else
#define KRAIT_OPS_MAMBA3_BLOCK_INL_HPP
#endif

#include "krait/kernels/rotary_scan-inl.hpp"
#include "krait/nn/mamba3_block.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

// Applies the norms of B and C to one token, in place. A norm has d_state channels; B and C have a row of d_state elements for
// each group and rank.
template <class Block>
HWY_INLINE void norm_B_and_C(const Block& block, float* B, float* C) {
  constexpr auto dims = Block::block_dims;
  for (std::size_t row = 0; row < Block::B_C_rows; row += dims.d_state) {
    rms_norm_row(B + row, block.B_norm.weight.data(), nullptr, dims.mixer_norm_eps, B + row, dims.d_state);
    rms_norm_row(C + row, block.C_norm.weight.data(), nullptr, dims.mixer_norm_eps, C + row, dims.d_state);
  }
}

template <std::size_t tokens, Mamba3BlockDims given, StatesOf<Mamba3Block<given>> States>
HWY_INLINE void run(const Mamba3Block<given>& block, States& state, Scratch<Mamba3Block<given>, tokens>& scratch,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  using Block = Mamba3Block<given>;
  constexpr const Mamba3BlockDims& dims = Block::block_dims;  // the dims `given`, with valid values in place of invalid ones
  constexpr std::size_t heads = Block::heads, rows = Block::in_order.padded_rows();
  using Scratch = typename Block::template Scratch<tokens>;
  const TokenSpan<float> proj = scratch.proj.span();
  const TokenSpan<float> x = proj.from_channel(Block::in_order.group_start(0)), B = x.from_channel(dims.d_inner);
  const TokenSpan<float> C = B.from_channel(Block::B_C_rows), dt = proj.from_channel(Block::in_order.tail_start());
  const TokenSpan<float> angle = dt.from_channel(3 * heads);
  apply_linear<tokens, rows>(block.in_proj, state, scratch.work.template restart<typename Scratch::InScratch>(), in, proj, n);
  auto& of_heads = scratch.work.template restart<typename Scratch::Heads>();
  const TokenSpan<float> factors = of_heads.factors.span();
  head_factors(dt, block.dt_bias.data(), dims.A_floor, factors, heads, n);
  for (std::size_t t = 0; t < n; ++t) {
    activation_row<ActivationFunction::tanh>(angle[t], angle[t], Block::angles);
    norm_B_and_C(block, B[t], C[t]);
  }
  const auto run_heads = [&](Range part) KRAIT_LAMBDA {
    const Range of_part{part.begin / strip_width, part.end / strip_width};
    each_sequence(state, n, [&](auto& one, std::size_t first, std::size_t count) KRAIT_LAMBDA {
      RotaryScan scan{.D = block.D.data(),
                      .B_bias = block.B_bias.data(),
                      .C_bias = block.C_bias.data(),
                      .mimo_x = nullptr,
                      .mimo_z = nullptr,
                      .mimo_o = nullptr,
                      .norm = nullptr,
                      .h = one.h.data(),
                      .k = one.k.data(),
                      .last_x = one.x.data(),
                      .turns = one.turns.data(),
                      .factors = factors.from(first).as_const(),
                      .delta = dt.from(first).as_const(),
                      .angle = angle.from(first).as_const(),
                      .B = B.from(first).as_const(),
                      .C = C.from(first).as_const(),
                      .z = proj.from(first).as_const(),
                      .x = x.from(first),
                      .heads = heads,
                      .headdim = dims.headdim,
                      .ngroups = dims.ngroups,
                      .d_state = dims.d_state,
                      .angles = Block::angles,
                      .tokens = count,
                      .eps = dims.mixer_norm_eps};
      if constexpr (dims.mimo_rank > 1)
        scan.mimo_x = block.mimo_x.data(), scan.mimo_z = block.mimo_z.data(), scan.mimo_o = block.mimo_o.data();
      if constexpr (dims.is_outproj_norm) scan.norm = block.norm.weight.data();
      rotary_scan<dims.mimo_rank, Block::angles>(scan, of_part, &of_heads.head[tokens == 1 ? 0 : of_part.begin]);
    });
  };
  // split() divides channels among threads, at multiples of 16. Here each head counts as 16 channels, so that no head is
  // divided. If `tokens` is 1, the scratch has memory for only one head, so all heads are processed by one thread.
  if constexpr (tokens == 1) run_heads({0, heads * strip_width});
  else split(state, heads * strip_width, n * dims.d_inner * dims.d_state * (1 + 3 * dims.mimo_rank), run_heads);
  if constexpr (dims.mimo_rank == 1)
    for (std::size_t t = 0; t < n; ++t) gate_row(x[t], proj[t], padded(dims.d_inner));
  auto& out_scratch = scratch.work.template restart<typename Scratch::OutScratch>();
  apply_linear<tokens, dims.d_model>(block.out_proj, state, out_scratch, x.as_const(), out, n);
}

KRAIT_END_TARGET

#endif
