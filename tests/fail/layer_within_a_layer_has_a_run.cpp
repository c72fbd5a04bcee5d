// The function `run` of a layer calls krait::run_layer for a layer that has no `run`.
// expect: krait: the layer L needs, before its first use and in its namespace
#include "given.hpp"

namespace mine {
struct Inner {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 0;
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
};
#ifdef RIGHT
template <std::size_t tokens>
void run(const Inner&, krait::NoState&, krait::NoScratch<tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
  for (std::size_t t = 0; t < n; ++t) out[t][0] = in[t][0];
}
#endif
template <std::size_t tokens>
void apply(const Inner& layer, krait::NoState& none, krait::NoScratch<tokens>& scratch, krait::TokenSpan<const float> in,
           krait::TokenSpan<float> out, std::size_t n) {
  krait::run_layer<tokens>(layer, none, scratch, in, out, n);
}
}  // namespace mine

void use(const mine::Inner& layer, krait::NoState& none, krait::NoScratch<1>& scratch, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out) {
  mine::apply<1>(layer, none, scratch, in, out, 1);
}
