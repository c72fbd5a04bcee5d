// Defines stacks of odd sizes, in any storage type, for the image tests: a classifier, and a stack with blocks of Mamba-2 and
// Mamba-3.
#pragma once
#include <array>

#include "krait/nn/pooling.hpp"
#include "krait/nn/residual_block.hpp"
#include "krait/nn/stack.hpp"

template <krait::Storage storage>
struct Parts {
  static constexpr auto block = krait::resolve(krait::BlockDims{.d_model = 9, .d_state = 4, .storage = storage});
  using Layers = std::array<krait::ResidualBlock<block>, 2>;
  KRAIT_PARAMS(Parts, (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 9, .bias = true, .storage = storage}>, linear_in),
               (Layers, layers), (krait::MeanPool<9>, pool),
               (krait::Linear<krait::LinearDims{.d_in = 9, .d_out = 3, .storage = storage}>, classifier));
};
template <krait::Storage storage>
using Classifier = krait::Stack<Parts<storage>>;

template <krait::Storage storage>
struct HeadsParts {
  static constexpr auto block2 = krait::resolve(krait::Mamba2BlockDims{.d_model = 9, .d_state = 3, .d_inner = 20, .headdim = 5,
                                                                       .ngroups = 2, .storage = storage});
  static constexpr auto block3 = krait::resolve(krait::Mamba3BlockDims{.d_model = 9, .d_state = 6, .d_inner = 20, .headdim = 5,
                                                                       .mimo_rank = 2, .is_outproj_norm = true,
                                                                       .storage = storage});
  using Layers = std::array<krait::ResidualBlock<block3>, 2>;
  KRAIT_PARAMS(HeadsParts, (krait::Residual<krait::Mamba2Block<block2>>, layer2), (Layers, layers3));
};
template <krait::Storage storage>
using Heads = krait::Stack<HeadsParts<storage>>;
