// Runs Embedding layers, which map a token id to a row of their weight.
#if defined(KRAIT_OPS_EMBEDDING_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef KRAIT_OPS_EMBEDDING_INL_HPP
#undef KRAIT_OPS_EMBEDDING_INL_HPP
#else
#define KRAIT_OPS_EMBEDDING_INL_HPP
#endif

#include "krait/nn/embedding.hpp"
#include "krait/ops/linear-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD {

template <class Token>
using ByteIfChar = std::conditional_t<std::is_same_v<Token, char>, unsigned char, Token>;

// Returns a token id as an unsigned number. A negative id becomes a number so large that it is outside the vocabulary. A char
// is treated as a byte of text, 0 to 255, even where char is signed.
template <class Token>
HWY_INLINE auto unsigned_token(Token token) {
  using Unsigned = std::make_unsigned_t<std::common_type_t<Token, std::ptrdiff_t>>;
  return static_cast<Unsigned>(static_cast<ByteIfChar<Token>>(token));
}

template <std::size_t tokens, std::size_t vocab_size, std::size_t d_model, Storage storage, class Token>
HWY_INLINE void run(const Embedding<vocab_size, d_model, storage>& layer, NoState&, NoScratch<tokens>&, const Token* in,
                    TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) {
    const auto token = unsigned_token(in[t]);
    if (token < vocab_size) gather_row(weights_of(layer.weight), padded(vocab_size), d_model, token, out[t]);
    else std::memset(out[t], 0, d_model * sizeof(float));
  }
}

}  // namespace krait::HWY_NAMESPACE::inline KRAIT_BUILD
HWY_AFTER_NAMESPACE();

#endif
