// The logits are a std::vector, whose length is not known at compile time.
// expect: logits must be a vector of floats whose length is known at compile time, or a sequence of such vectors
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(logits, 5, logits);
#else
  std::vector<float> many(256);
  krait::cross_entropy(many, 5, logits);
#endif
}
