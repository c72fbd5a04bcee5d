// The token comes before the logits.
// expect: krait::log_probability(logits, token): logits must be a contiguous range of floats
#include "given.hpp"

float use() {
#ifdef RIGHT
  return krait::log_probability(logits, 5);
#else
  return krait::log_probability(5, logits);
#endif
}
