// Runs PositionalEmbedding, which adds to each token the row of its weight for the token's position.
#if defined(KRAIT_OPS_POSITIONAL_EMBEDDING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_POSITIONAL_EMBEDDING_INL_HPP
#undef KRAIT_OPS_POSITIONAL_EMBEDDING_INL_HPP
#else
#define KRAIT_OPS_POSITIONAL_EMBEDDING_INL_HPP
#endif

#include "krait/kernels/norm-inl.hpp"
#include "krait/nn/positional_embedding.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t max_tokens, std::size_t d_model, Storage storage>
HWY_INLINE void run(const PositionalEmbedding<max_tokens, d_model, storage>& layer,
                    State<PositionalEmbedding<max_tokens, d_model, storage>>& state, NoScratch<tokens>&,
                    TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  constexpr std::size_t width = RowMatrix<max_tokens, d_model, storage>::rows_together;
  for (std::size_t t = 0; t < n; ++t) {
    const std::uint32_t row = state.position;
    if constexpr (storage == Storage::f32) add_row(in[t], layer.weight.data() + row * d_model, out[t], d_model);
    else add_stored_row<width>(weights_of(layer.weight), d_model, row, in[t], out[t]);
    state.position = row + static_cast<std::uint32_t>(row + 1 < max_tokens);
  }
}

KRAIT_END_TARGET

#endif
