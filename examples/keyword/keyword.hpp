// The keyword-spotting model of MambaLite-Micro: ten words from 100 frames of 40 features, by one Mamba block between two
// linear layers and the mean over time.
#ifndef KRAIT_EXAMPLES_KEYWORD_HPP
#define KRAIT_EXAMPLES_KEYWORD_HPP

#include <krait.hpp>

namespace keyword {

inline constexpr std::size_t features = 40, frames = 100, classes = 10, d_model = 64;

template <krait::Storage storage>
struct Parts {
  static constexpr krait::BlockDims block =
      krait::resolve(krait::BlockDims{.d_model = d_model, .d_inner = 128, .storage = storage});
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = features, .d_out = d_model, .bias = true, .storage = storage}>, linear_in),
    (krait::MambaBlock<block>, mixer),
    (krait::MeanPool<d_model>, pool),
    (krait::Linear<krait::LinearDims{.d_in = d_model, .d_out = classes, .bias = true, .storage = storage}>, classifier));
};

template <krait::Storage storage>
using Model = krait::Stack<Parts<storage>>;

}  // namespace keyword

#endif
