// The user's layer has a warm_up, but its `run` does not return the number of tokens without output.
// expect: krait: with a warm_up, run must return std::size_t
// expect: run_result<void>
#include "given.hpp"

namespace mine {
constexpr krait::StridedConv1dDims conv{.channels = 4, .d_out = 4, .kernel = 2};
struct Front {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 32;
  static constexpr std::size_t warm_up = 1;
  using State = krait::State<krait::StridedConv1d<conv>>;
  template <std::size_t tokens>
  using Scratch = krait::Scratch<krait::StridedConv1d<conv>, tokens>;
  KRAIT_PARAMS(Front, (krait::StridedConv1d<conv>, conv1d));
};
#ifdef RIGHT
template <std::size_t tokens>
std::size_t run(const Front& layer, krait::State<Front>& state, krait::Scratch<Front, tokens>& scratch,
                krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n) {
  return krait::run_layer<tokens>(layer.conv1d, state, scratch, in, out, n);
}
#else
template <std::size_t tokens>
void run(const Front& layer, krait::State<Front>& state, krait::Scratch<Front, tokens>& scratch,
         krait::TokenSpan<const float> in, krait::TokenSpan<float> out, std::size_t n) {
  krait::run_layer<tokens>(layer.conv1d, state, scratch, in, out, n);
}
#endif
static_assert(krait::check_layer<Front>());
#ifdef RIGHT
inline void step(const Front& front, krait::State<Front>& state, const std::array<float, 4>& x, std::array<float, 4>& y) {
  krait::step(front, state, x, y);
}
#endif
static_assert(krait::check_layer<krait::StridedConv1d<conv>>());
}  // namespace mine
