// A member in KRAIT_PARAMS is not in parentheses.
// expect: krait: KRAIT_PARAMS(Type, (MemberType, member), ...) needs parentheses
// more errors follow
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
  KRAIT_PARAMS(Gain, krait::Vector<krait::plain(4)>, gain);
#endif
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
