// The recent tokens are one integer.
// expect: recent must be an array, vector, span or string of token ids
#include "given.hpp"

void use([[maybe_unused]] const std::vector<int>& recent) {
#ifdef RIGHT
  krait::apply_penalties(logits, recent, {.repetition = 1.1f});
#else
  krait::apply_penalties(logits, 5, {.repetition = 1.1f});
#endif
}
