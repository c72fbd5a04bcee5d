// The sampler is a temporary, so every draw would be its first draw.
// expect: sampler must be a variable that is not const
#include "given.hpp"

extern krait::Sampler sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(logits, sampler);
#else
  return krait::sample(logits, krait::Sampler{.temperature = 0.8f});
#endif
}
