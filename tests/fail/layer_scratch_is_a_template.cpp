// The Scratch of the user's layer is a type, not a template with a number of tokens.
// expect: krait: the layer needs a member template <std::size_t tokens> struct Scratch
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
  using State = krait::NoState;
#ifdef RIGHT
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
#else
  using Scratch = krait::NoScratch<1>;
#endif
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
