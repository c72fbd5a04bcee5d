// Runs the pooling layers MeanPool, MaxPool and LastPool.
#if defined(KRAIT_OPS_POOLING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_POOLING_INL_HPP
#undef KRAIT_OPS_POOLING_INL_HPP
#else
#define KRAIT_OPS_POOLING_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"
#include "krait/nn/pooling.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t d_model>
HWY_INLINE void run(const MeanPool<d_model>&, State<MeanPool<d_model>>& state, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n, Emit emit = Emit::all) {
  for (std::size_t t = 0; t < n; ++t) add_row(state.data(), in[t], state.data(), d_model);
  const std::uint32_t count = state.count() + static_cast<std::uint32_t>(n);
  state.set_count(count);
  if (emit != Emit::nothing) divide_row(state.data(), static_cast<float>(count), out[0], d_model);
}

template <std::size_t tokens, std::size_t d_model>
HWY_INLINE void run(const MaxPool<d_model>&, State<MaxPool<d_model>>& state, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n, Emit emit = Emit::all) {
  for (std::size_t t = 0; t < n; ++t) max_row(in[t], state.largest.data(), d_model);
  if (emit != Emit::nothing) max_values(state.largest.data(), out[0], d_model);
}

template <std::size_t tokens, std::size_t d_model>
HWY_INLINE void run(const LastPool<d_model>&, NoState&, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n, Emit emit = Emit::all) {
  if (emit != Emit::nothing) std::memmove(out[0], in[n - 1], d_model * sizeof(float));
}

KRAIT_END_TARGET

#endif
