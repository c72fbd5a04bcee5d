// The user's layer does not declare its weights with KRAIT_PARAMS, so `load` would skip them.
// expect: krait: the layer must declare its data members with KRAIT_PARAMS
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
#ifdef RIGHT
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
#else
  krait::Vector<krait::plain(4)> gain;
#endif
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
