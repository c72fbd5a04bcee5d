// The function `run` of the user's layer takes pointers instead of TokenSpans.
// expect: krait: the layer L needs, before its first use and in its namespace
// expect: void run(
#include "given.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
#ifdef RIGHT
template <std::size_t tokens>
void run(const Gain& layer, krait::State<Gain>&, krait::Scratch<Gain, tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t i = 0; i < 4; ++i) out[t][i] = layer.gain.get(i) * in[t][i];
}
#else
template <std::size_t tokens>
void run(const Gain& layer, const float* in, float* out) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = layer.gain.get(i) * in[i];
}
#endif
static_assert(krait::check_layer<Gain>());
}  // namespace mine
