// The Scratch of the user's layer is larger for 1 token than for 4 tokens.
// expect: krait: Scratch<1> must not be larger than Scratch<4>
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
  template <std::size_t tokens>
  struct Scratch {
    static constexpr std::size_t chunk = tokens;
    float x[tokens == 1 ? 9 : 1];
  };
#endif
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
