// The dims of the Mamba-3 model are not resolved, so they lack d_inner.
// expect: d_inner must be at least 1
// expect: krait::resolve(dims)
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve(krait::Mamba3Dims{.vocab_size = 256, .d_model = 64});
#else
inline constexpr auto d = krait::Mamba3Dims{.vocab_size = 256, .d_model = 64};
#endif

using Mine = krait::Mamba3<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
