// Defines the common base class of layers without weights whose output channel i depends only on input channel i, such as
// activations.
#ifndef KRAIT_NN_ELEMENTWISE_HPP
#define KRAIT_NN_ELEMENTWISE_HPP

#include <cstddef>

#include "krait/core/check.hpp"
#include "krait/nn/layer.hpp"

namespace krait::detail {

template <std::size_t d_model>
consteval bool check_elementwise() {
  static_assert(check::got<d_model>::template at_least<1>,
                "krait: d_model of an activation layer or a pooling layer must be at least 1");
  return true;
}
template <std::size_t d_model>
struct ElementwiseFacts : SameWidth<ElementwiseFacts<d_model>, d_model> {
  static_assert(check_elementwise<d_model>());
  static constexpr std::size_t multiply_adds = 0;
  template <std::size_t tokens>
  using Scratch = NoScratch<tokens>;
};

}  // namespace krait::detail

#endif
