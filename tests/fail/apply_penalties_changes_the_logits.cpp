// The logits and the recent tokens are in the wrong order.
// expect: krait::apply_penalties(logits, recent, penalties): logits must be a range of floats that is not const
#include "given.hpp"

void use(const std::vector<int>& recent) {
#ifdef RIGHT
  krait::apply_penalties(logits, recent, {.repetition = 1.1f});
#else
  krait::apply_penalties(recent, logits, {.repetition = 1.1f});
#endif
}
