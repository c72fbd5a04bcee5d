// The logits are a std::vector, whose length is not known at compile time.
// expect: the first argument of a loss must be a vector of floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(logits, 5, logits);
#else
  std::vector<float> many(256);
  krait::cross_entropy(many, 5, logits);
#endif
}
