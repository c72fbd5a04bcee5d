// The user's layer pools and has a warm_up, but its `run` returns an int.
// expect: krait: with a warm_up, run must return std::size_t
// expect: run_result<int>
#include "given.hpp"

namespace mine {
#ifdef RIGHT
using Count = std::size_t;
#else
using Count = int;
#endif
struct Newest {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 0;
  static constexpr std::size_t warm_up = 1;
  static constexpr bool pools = true;
  struct State {
    krait::Strips<1> newest{};
  };
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
};
template <std::size_t tokens>
Count run(const Newest&, krait::State<Newest>&, krait::Scratch<Newest, tokens>&, krait::TokenSpan<const float>,
          krait::TokenSpan<float>, std::size_t, krait::Emit) {
  return 0;
}
static_assert(krait::check_layer<Newest>());
}  // namespace mine
