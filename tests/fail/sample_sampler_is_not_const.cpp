// The sampler is const, so it cannot count its draws.
// expect: sampler must be a variable that is not const
#include "given.hpp"

extern krait::Sampler sampler;
extern const krait::Sampler constant;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(logits, sampler);
#else
  return krait::sample(logits, constant);
#endif
}
