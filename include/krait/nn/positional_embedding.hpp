#ifndef KRAIT_NN_POSITIONAL_EMBEDDING_HPP
#define KRAIT_NN_POSITIONAL_EMBEDDING_HPP

#include <array>
#include <cstdint>
#include <string_view>

#include "krait/layout/params.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/nn/layer.hpp"

namespace krait {

// PositionalEmbedding adds a row of its weight to each token. The index of the row is the token's position in the sequence,
// which starts at 0: y[t] = x[t] + weight[min(t, max_tokens - 1)]. Tokens from position max_tokens on use the last row, because
// streams may be longer than max_tokens.
template <std::size_t max_tokens, std::size_t d_model, Storage storage = Storage::f32>
struct PositionalEmbedding : detail::SameWidth<PositionalEmbedding<max_tokens, d_model, storage>, d_model> {
  static_assert(detail::check_embedding<max_tokens, d_model>());
  static constexpr std::size_t multiply_adds = 0;
  static constexpr std::string_view structure_kind = "positional_embedding";

  KRAIT_PARAMS(PositionalEmbedding,
    (RowMatrix<max_tokens, d_model, storage>, weight));  // shape [max_tokens, d_model]

  struct State {
    std::uint32_t position = 0;               // the position of the next token, at most max_tokens - 1
    std::array<std::uint32_t, 15> padding{};  // explicit padding, so that equal states have equal bytes
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return true; }
  };
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};

}  // namespace krait

#endif
