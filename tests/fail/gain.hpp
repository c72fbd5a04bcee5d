// Defines `run` for the layers that the files about krait::check_layer define.
#ifndef KRAIT_TESTS_FAIL_GAIN_HPP
#define KRAIT_TESTS_FAIL_GAIN_HPP

#include "given.hpp"

namespace mine {

// Computes out[t][i] = gain[i] * in[t][i] for any layer of this namespace that has four gains.
template <std::size_t tokens, class Layer>
void run(const Layer& layer, krait::State<Layer>&, krait::Scratch<Layer, tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t i = 0; i < 4; ++i) out[t][i] = layer.gain.get(i) * in[t][i];
}

}  // namespace mine

#endif
