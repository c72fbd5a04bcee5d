// The `run` of a layer takes pointers instead of TokenSpans, and the layer is not checked with krait::check_layer.
// expect: krait: the layer L needs, before its first use and in its namespace
// expect: void run(
// expect: layer<mine::Gain>::has_run
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
void run(const Gain& layer, krait::State<Gain>&, krait::Scratch<Gain, tokens>&, const float* in, float* out, std::size_t) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = layer.gain.get(i) * in[i];
}
#endif
}  // namespace mine

void use(const mine::Gain& gain, krait::State<mine::Gain>& memory, const krait::Tensor<float, 4>& in,
         krait::Tensor<float, 4>& out, const krait::Tensor<float, 5, 4>& ins, krait::Tensor<float, 5, 4>& outs) {
  krait::step(gain, memory, in, out);
  krait::prefill(gain, memory, ins, outs);
}
