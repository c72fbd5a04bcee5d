// A layer declares a float in KRAIT_PARAMS, which load and save would not process.
// expect: must be weights (krait::Matrix, Vector, Taps or DecayRates), a layer, or a std::array of layers
// expect: "rate"|114, 97, 116, 101
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
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain), (krait::Vector<krait::plain(1)>, rate));
#else
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain), (float, rate));
#endif
};
static_assert(krait::check_layer<Gain>());
}  // namespace mine
