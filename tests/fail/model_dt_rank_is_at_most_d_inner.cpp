// dt_rank of the model exceeds d_inner.
// expect: dt_rank must not exceed d_inner
// expect: got<129>::at_most<128>
#include "given.hpp"

#ifdef RIGHT
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .dt_rank = 128});
#else
inline constexpr auto d = krait::resolve({.vocab_size = 256, .d_model = 64, .dt_rank = 129});
#endif

using Mine = krait::Mamba<d>;
void use(const Mine& mine, krait::State<Mine>& memory) { krait::step(mine, memory, 5, logits); }
