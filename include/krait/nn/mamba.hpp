#ifndef KRAIT_NN_MAMBA_HPP
#define KRAIT_NN_MAMBA_HPP

#include <array>

#include "krait/core/finite.hpp"
#include "krait/nn/embedding.hpp"
#include "krait/nn/residual_block.hpp"

namespace krait {

namespace detail {
template <auto dims>
struct Backbone {
  using Layers = std::array<ResidualBlock<block_dims(dims)>, dims.n_layers>;
  using Norm = krait::Norm<dims.norm, norm_dims(block_dims(dims))>;

  KRAIT_PARAMS(Backbone,
    (Embedding<dims.vocab_size, dims.d_model, dims.storage>, embedding),  // weight [vocab_size, d_model]
    (Layers, layers),                                       // n_layers ResidualBlocks
    (Norm, norm_f));                                        // final norm: weight [d_model]
};

template <auto dims>
struct ModelFacts {
  static constexpr bool takes_tokens = true;
  static constexpr bool summarises = true;
  static constexpr std::size_t d_in = dims.vocab_size;
  static constexpr std::size_t d_out = dims.vocab_size;
  static constexpr std::size_t vocab_size = dims.vocab_size;
  static constexpr std::size_t d_model = dims.d_model;
  static constexpr std::size_t n_layers = dims.n_layers;
  static constexpr auto model_dims = dims;
  using Block = ResidualBlock<block_dims(dims)>;
  using Backbone = detail::Backbone<dims>;
  using Head = Linear<LinearDims{.d_in = dims.d_model, .d_out = dims.vocab_size, .storage = dims.storage}>;
  static constexpr std::size_t multiply_adds =
      dims.n_layers * Block::multiply_adds + dims.d_model + Head::multiply_adds;

  struct State {
    std::array<typename Block::State, dims.n_layers> layers{};
    KRAIT_INLINE constexpr State() = default;
    KRAIT_INLINE bool is_finite() const noexcept { return detail::all_finite(layers); }
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    TokenBuffer<tokens, dims.d_model> x;               // the residual stream, shape [tokens, d_model]
    typename Block::template Scratch<tokens> block;  // a scratch that all layers use, one after the other
    [[no_unique_address]] typename Head::template Scratch<tokens> head;
  };
};
}  // namespace detail

// Mamba is a language model: an embedding, n_layers ResidualBlocks, a final norm and an output head. The type of the dims
// selects the kind of the blocks: ModelDims, Mamba2Dims or Mamba3Dims. The model maps token ids [L] to logits [L, vocab_size].
// Its members have the names of mamba-ssm's checkpoints. A tied head has no member of its own, because it uses the weight of
// the embedding. tests/data/reference has the same computation in numpy (function mamba).
template <detail::DimsOfModel auto dims>
struct Mamba : detail::ModelFacts<dims> {
  using typename detail::ModelFacts<dims>::Backbone;
  using typename detail::ModelFacts<dims>::Head;
  KRAIT_PARAMS(Mamba,
    (Backbone, backbone),
    (Head, lm_head));  // weight [vocab_size, d_model]

  KRAIT_INLINE constexpr const auto& head() const { return lm_head.weight; }
};

template <detail::DimsOfModel auto dims>
  requires(dims.tied && check::valid(dims))
struct Mamba<dims> : detail::ModelFacts<dims> {
  using typename detail::ModelFacts<dims>::Backbone;
  KRAIT_PARAMS(Mamba,
    (Backbone, backbone));

  KRAIT_INLINE constexpr const auto& head() const { return backbone.embedding.weight; }
};

template <detail::DimsOfModel auto dims>
  requires(!check::valid(dims))
struct Mamba<dims> : Mamba<check::repaired(dims)> {
  static_assert(check::check_dims<dims>());
};

// Mamba2 and Mamba3 are the language models that consist of Mamba-2 blocks and Mamba-3 blocks.
template <Mamba2Dims dims>
using Mamba2 = Mamba<dims>;
template <Mamba3Dims dims>
using Mamba3 = Mamba<dims>;

// LanguageModel is satisfied by language models: krait::Mamba with any dims.
template <class T>
concept LanguageModel = requires { T::model_dims; };

}  // namespace krait

#endif
