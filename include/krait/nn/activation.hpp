// Defines the layers that apply an activation function to each channel.
#ifndef KRAIT_NN_ACTIVATION_HPP
#define KRAIT_NN_ACTIVATION_HPP

#include <array>
#include <string_view>

#include "krait/core/dims.hpp"
#include "krait/nn/elementwise.hpp"

namespace krait {

// Activation applies `function` to every channel: y[i] = function(x[i]), where x and y are [d_model]. The layer has no weights.
// docs/design.md has the formulas and their largest errors.
template <ActivationFunction function, std::size_t d_model>
struct Activation : detail::ElementwiseFacts<d_model> {
  static constexpr std::string_view structure_kind =
      std::array<std::string_view, 6>{"relu", "silu", "gelu_erf", "gelu_tanh", "tanh", "sigmoid"}[std::size_t(function)];
  using State = NoState;
};

template <std::size_t d_model> using Relu = Activation<ActivationFunction::relu, d_model>;
template <std::size_t d_model> using Silu = Activation<ActivationFunction::silu, d_model>;
template <std::size_t d_model> using Gelu = Activation<ActivationFunction::gelu_erf, d_model>;
template <std::size_t d_model> using GeluTanh = Activation<ActivationFunction::gelu_tanh, d_model>;
template <std::size_t d_model> using Tanh = Activation<ActivationFunction::tanh, d_model>;
template <std::size_t d_model> using Sigmoid = Activation<ActivationFunction::sigmoid, d_model>;

}  // namespace krait

#endif
