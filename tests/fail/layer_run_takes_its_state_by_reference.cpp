// The function `run` of a layer takes the state by value, so that each call would change a copy.
// expect: run must take the state by reference
// expect: krait::State<L>&
#include "given.hpp"

namespace mine {
struct Sum {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
  struct State {
    krait::Strips<4> sum{};
    bool is_finite() const { return true; }
  };
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
};
template <std::size_t tokens>
#ifdef RIGHT
void run(const Sum&, krait::State<Sum>& state, krait::Scratch<Sum, tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
#else
void run(const Sum&, krait::State<Sum> state, krait::Scratch<Sum, tokens>&, krait::TokenSpan<const float> in,
         krait::TokenSpan<float> out, std::size_t n) {
#endif
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t i = 0; i < 4; ++i) state.sum.set(i, 0, out[t][i] = state.sum.get(i) + in[t][i]);
}
}  // namespace mine

void use(const mine::Sum& sum, krait::State<mine::Sum>& memory,
         const krait::Tensor<float, 4>& in, krait::Tensor<float, 4>& out) {
  krait::step(sum, memory, in, out);
}
