// The user's layer declares works_in_place as a type instead of a bool constant.
// expect: krait: works_in_place, pools, takes_tokens, summarises and no_segment must be constants
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
#ifndef RIGHT
  using works_in_place = void;
#endif
  using State = krait::NoState;
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
