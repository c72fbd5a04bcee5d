// Defines a layer of your own: a linear layer whose outputs are clipped to limits, which are parameters, and then held for two
// tokens (each output is the larger one of its values for the current and the previous token).
#ifndef EXAMPLES_OWN_LAYER_CLIPPED_LINEAR_HPP
#define EXAMPLES_OWN_LAYER_CLIPPED_LINEAR_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <krait.hpp>

namespace mine {

// ClippedLinear maps x [inputs] to y [outputs]: z = clip(weight x + bias, -limit, limit);  y = max(z, z'), where z' is z of the
// previous token, and 0 at the first token.
template <std::size_t inputs, std::size_t outputs>
struct ClippedLinear {
  using Linear = krait::Linear<krait::LinearDims{.d_in = inputs, .d_out = outputs, .bias = true}>;
  static constexpr std::size_t d_in = inputs;
  static constexpr std::size_t d_out = outputs;
  static constexpr std::size_t multiply_adds = Linear::multiply_adds;

  // Parameters: linear.weight [outputs, inputs], linear.bias [outputs], limit [outputs]. load and save need no other
  // declaration.
  KRAIT_PARAMS(ClippedLinear,
    (Linear, linear),
    (krait::Vector<krait::plain(outputs)>, limit));

  struct State {
    krait::Strips<outputs> z{};  // z of the previous token; Strips has no padding bytes between or after its floats
    bool is_finite() const noexcept {  // krait::is_finite(state) calls this function
      for (std::size_t i = 0; i < outputs; ++i)
        if (!std::isfinite(z.get(i))) return false;
      return true;
    }
  };
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    [[no_unique_address]] typename Linear::template Scratch<tokens> linear;
  };
};

// The library finds `run` in the layer's namespace.
template <std::size_t tokens, std::size_t inputs, std::size_t outputs>
KRAIT_INLINE void run(const ClippedLinear<inputs, outputs>& layer, krait::State<ClippedLinear<inputs, outputs>>& state,
                      krait::Scratch<ClippedLinear<inputs, outputs>, tokens>& scratch, krait::TokenSpan<const float> in,
                      krait::TokenSpan<float> out, std::size_t n) {
  krait::NoState none;
  krait::run_layer<tokens>(layer.linear, none, scratch.linear, in, out, n);
  for (std::size_t t = 0; t < n; ++t) {
    for (std::size_t i = 0; i < outputs; ++i) {
      const float limit = layer.limit.get(i);
      const float z = std::min(std::max(out[t][i], -limit), limit);
      out[t][i] = std::max(z, state.z.get(i));
      state.z.set(i, 0, z);
    }
  }
}

static_assert(krait::check_layer<ClippedLinear<6, 24>>());

}  // namespace mine

#endif
