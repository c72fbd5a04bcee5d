// The logits are a std::vector, whose length is not known at compile time.
// expect: logits must be one vector of floats, or a sequence of them, whose length is known at compile time
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::cross_entropy(logits, 5, logits);
#else
  std::vector<float> many(256);
  krait::cross_entropy(many, 5, logits);
#endif
}
