// The user's layer pools, but its `run` has no argument Emit.
// expect: krait: a layer L with pools or summarises = true needs
// expect: krait::Emit
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
#ifndef RIGHT
  static constexpr bool pools = true;
#endif
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
