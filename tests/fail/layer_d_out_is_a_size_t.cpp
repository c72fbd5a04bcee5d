// d_out of the user's layer is an int.
// expect: krait: the layer needs `static constexpr std::size_t d_out`
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
#ifdef RIGHT
  static constexpr std::size_t d_out = 4;
#else
  static constexpr int d_out = 4;
#endif
  static constexpr std::size_t multiply_adds = 4;
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
