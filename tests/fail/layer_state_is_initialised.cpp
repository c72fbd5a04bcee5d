// A declared State of the user's layer would contain unspecified floats.
// expect: krait: State must be a struct in which every member has an initialiser, as in float sum[8]{}
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
  struct State {
#ifdef RIGHT
    float last[4]{};
#else
    float last[4];
#endif
  };
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
