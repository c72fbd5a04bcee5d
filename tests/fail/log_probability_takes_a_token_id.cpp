// The token is a float.
// expect: krait::log_probability(logits, token): token must be a token id, which is an integer
#include "given.hpp"

float use() {
#ifdef RIGHT
  return krait::log_probability(logits, 5);
#else
  return krait::log_probability(logits, 5.0f);
#endif
}
