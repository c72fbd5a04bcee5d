// The sampler comes before the logits.
// expect: logits must be a contiguous range of floats
#include "given.hpp"

extern krait::Sampler sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(logits, sampler);
#else
  return krait::sample(sampler, logits);
#endif
}
