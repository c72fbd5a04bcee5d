// The State of the user's layer contains a std::vector.
// expect: krait: State must be trivially copyable
#include "gain.hpp"

namespace mine {
struct Gain {
  static constexpr std::size_t d_in = 4;
  static constexpr std::size_t d_out = 4;
  static constexpr std::size_t multiply_adds = 4;
#ifdef RIGHT
  using State = krait::NoState;
#else
  struct State {
    std::vector<float> before;
  };
#endif
  template <std::size_t tokens>
  using Scratch = krait::NoScratch<tokens>;
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain));
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
