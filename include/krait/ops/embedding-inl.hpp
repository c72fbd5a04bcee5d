// Runs Embedding layers, which map a token id to a row of their weight.
#if defined(KRAIT_OPS_EMBEDDING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_EMBEDDING_INL_HPP
#undef KRAIT_OPS_EMBEDDING_INL_HPP
#else
#define KRAIT_OPS_EMBEDDING_INL_HPP
#endif

#include "krait/calls/arguments.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/ops/linear-inl.hpp"

KRAIT_BEGIN_TARGET

template <std::size_t tokens, std::size_t vocab_size, std::size_t d_model, Storage storage, class Token>
HWY_INLINE void run(const Embedding<vocab_size, d_model, storage>& layer, NoState&, NoScratch<tokens>&,
                    const Token* in, TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) {
    const auto token = krait::detail::unsigned_token(in[t]);
    if (token < vocab_size) gather_row(weights_of(layer.weight), padded(vocab_size), d_model, token, out[t]);
    else std::memset(out[t], 0, d_model * sizeof(float));
  }
}

KRAIT_END_TARGET

#endif
