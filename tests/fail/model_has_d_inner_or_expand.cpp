// The dims of the model have both d_inner and `expand`.
// expect: expand must be 0 if d_inner is given
// expect: not both
// expect: got<2>::wants<0>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .d_inner = 96});
#else
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .expand = 2, .d_inner = 96});
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
