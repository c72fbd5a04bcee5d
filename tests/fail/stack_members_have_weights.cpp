// A member of a stack declares a std::array of floats in KRAIT_PARAMS, which load and save would not process.
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
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain), (krait::Vector<krait::plain(4)>, rate));
#else
  KRAIT_PARAMS(Gain, (krait::Vector<krait::plain(4)>, gain), (std::array<float, 4>, rate));
#endif
};
}  // namespace mine

struct Parts {
  KRAIT_PARAMS(Parts,
    (Linear<12, 4>, linear_in),
    (mine::Gain, gain));
};
using Mine = krait::Stack<Parts>;
void use(const Mine& mine, krait::State<Mine>& memory, const krait::Tensor<float, 12>& in, krait::Tensor<float, 4>& out) {
  krait::step(mine, memory, in, out);
}
