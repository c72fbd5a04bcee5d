// A classifier of odd sizes, in any storage type: the stack that the image tests write and view.
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
