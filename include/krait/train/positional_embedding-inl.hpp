// Training of PositionalEmbedding layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_POSITIONAL_EMBEDDING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_POSITIONAL_EMBEDDING_INL_HPP
#undef KRAIT_TRAIN_POSITIONAL_EMBEDDING_INL_HPP
#else
#define KRAIT_TRAIN_POSITIONAL_EMBEDDING_INL_HPP
#endif

#include <algorithm>

#include "krait/kernels/norm-inl.hpp"
#include "krait/ops/positional_embedding-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t max_tokens, std::size_t d_model, Storage storage, class Tape, class Work>
HWY_INLINE void record(const PositionalEmbedding<max_tokens, d_model, storage>& layer,
                       State<PositionalEmbedding<max_tokens, d_model, storage>>& state, Tape& tape, Work&,
                       TokenSpan<const float> in, TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  tape.position = state.position;
  run<tokens>(layer, state, scratch, in, out, n);
}
// Adds the gradient of each token's vector to the row of the token's position, in the order of the tokens.
template <std::size_t tokens, bool dx, std::size_t max_tokens, std::size_t d_model, Storage storage, class Tape, class Work,
          class G>
HWY_INLINE void backward(const PositionalEmbedding<max_tokens, d_model, storage>&, Tape& tape, Work&, TokenSpan<const float>,
                         TokenSpan<float> dout, TokenSpan<float> din, G& gradients,
                         State<PositionalEmbedding<max_tokens, d_model, storage>>*, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) {
    if constexpr (krait::detail::is_trained<G>) {
      auto& weight = krait::detail::gradient_of_member<0>(gradients);
      float* const row = weight.data() + weight.offset(std::min<std::size_t>(tape.position + t, max_tokens - 1), 0);
      add_row(row, dout[t], row, d_model);
    }
    if constexpr (dx) copy_padded(dout[t], din[t], d_model);
  }
}

KRAIT_END_TARGET

#endif
