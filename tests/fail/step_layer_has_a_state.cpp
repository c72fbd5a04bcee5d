// A layer has no type State, and the layer is not checked with krait::check_layer.
// expect: the layer needs a type State
// expect: layer<mine::Gain>::has_state
#include "given.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
#ifdef RIGHT
  using State = krait::NoState;
#endif
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
template <std::size_t tokens>
void run(const Gain& layer, krait::NoState&, krait::Scratch<Gain, tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t i = 0; i < 4; ++i) out[t][i] = layer.gain.get(i) * in[t][i];
}
}  // namespace mine

void use(const mine::Gain& gain, krait::NoState& memory, const krait::Tensor<float, 4>& in, krait::Tensor<float, 4>& out) {
  krait::step(gain, memory, in, out);
}
