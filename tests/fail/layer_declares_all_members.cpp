// A weight of the user's layer is declared outside KRAIT_PARAMS, so that load would ignore it.
// expect: krait: KRAIT_PARAMS must declare every data member of the layer
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
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain), (krait::Vector<krait::plain(4)>, bias));
#else
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
  krait::Vector<krait::plain(4)> bias;
#endif
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
