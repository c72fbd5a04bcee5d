// A layer declares its weights without KRAIT_PARAMS.
// expect: must declare its data members with KRAIT_PARAMS
// expect: layer<mine::Gain>::names_its_members
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
  krait::Vector<krait::plain(4)> gain;
#endif
};
}  // namespace mine

void use(const mine::Gain& gain, krait::State<mine::Gain>& memory,
         const krait::Tensor<float, 4>& in, krait::Tensor<float, 4>& out) {
  krait::step(gain, memory, in, out);
}
