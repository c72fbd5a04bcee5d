#ifndef KRAIT_NN_EMBEDDING_HPP
#define KRAIT_NN_EMBEDDING_HPP

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"
#include "krait/layout/params.hpp"

namespace krait {

namespace detail {
// Checks the sizes of an Embedding, or of a PositionalEmbedding, which has max_tokens rows.
template <std::size_t rows, std::size_t d_model>
consteval bool check_embedding() {
  static_assert(check::got<rows>::template at_least<1>,
                "krait: the vocab_size of an Embedding, and the max_tokens of a PositionalEmbedding, must be at least 1");
  static_assert(check::got<d_model>::template at_least<1>, "krait: the d_model of an embedding must be at least 1");
  return true;
}
}  // namespace detail

// Embedding maps a token id to d_model floats: the row of its weight that has the token id as its index. A token id outside [0,
// vocab_size) gives zeros. The weight is stored in panels, as in a linear layer, so that a tied output head can multiply by the
// same copy of the weight. The elements of a row are therefore not adjacent.
template <std::size_t vocab_size, std::size_t d_model, Storage storage = Storage::f32>
struct Embedding {
  static_assert(detail::check_embedding<vocab_size, d_model>());
  static constexpr bool takes_tokens = true;
  static constexpr std::size_t d_in = vocab_size;
  static constexpr std::size_t d_out = d_model;
  static constexpr std::size_t multiply_adds = 0;
  using State = NoState;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;

  KRAIT_PARAMS(Embedding,
    (Matrix<plain(vocab_size), d_model, storage>, weight));  // shape [vocab_size, d_model]
};

}  // namespace krait

#endif
