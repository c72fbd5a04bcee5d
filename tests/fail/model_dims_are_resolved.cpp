// The dims of the model are not resolved, so they lack d_inner.
// expect: d_inner must be at least 1
// expect: krait::resolve(dims)
// expect: got<0>::at_least<1>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64});
#else
inline constexpr auto d = krait::ModelDims{.vocab_size = 256, .d_model = 64};
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
