// Training of Embedding layers: the forward pass fills a tape, and the backward pass computes the gradients from it.
#if defined(KRAIT_TRAIN_EMBEDDING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_TRAIN_EMBEDDING_INL_HPP
#undef KRAIT_TRAIN_EMBEDDING_INL_HPP
#else
#define KRAIT_TRAIN_EMBEDDING_INL_HPP
#endif

#include "krait/ops/embedding-inl.hpp"
#include "krait/train/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t vocab_size, std::size_t d_model, Storage storage, class Tape, class Work, class Token>
HWY_INLINE void record(const Embedding<vocab_size, d_model, storage>& layer, NoState& state, Tape&, Work&, const Token* in,
                       TokenSpan<float> out, std::size_t n) {
  NoScratch<tokens> scratch;
  run<tokens>(layer, state, scratch, in, out, n);
}
// Adds the gradient of each token's vector to the token's row, in the order of the tokens. Ids outside the vocabulary have no
// row.
template <std::size_t tokens, bool dx, std::size_t vocab_size, std::size_t d_model, Storage storage, class Tape, class Work,
          class Token, class G>
HWY_INLINE void backward(const Embedding<vocab_size, d_model, storage>&, Tape&, Work&, const Token* in, TokenSpan<float> dout,
                         TokenSpan<float>, G& gradients, NoState*, std::size_t n) {
  if constexpr (krait::detail::is_trained<G>) {
    float* const weight = krait::detail::floats_of(krait::detail::gradient_of_member<0>(gradients));
    for (std::size_t t = 0; t < n; ++t)
      if (const auto token = krait::detail::unsigned_token(in[t]); token < vocab_size)
        add_to_row(weight, padded(vocab_size), d_model, token, dout[t]);
  }
}

KRAIT_END_TARGET

#endif
