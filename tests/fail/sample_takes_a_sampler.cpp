// The call passes a temperature instead of a sampler.
// expect: sampler must be a krait::Sampler or a krait::FilteredSampler<vocab_size>
#include "given.hpp"

extern krait::Sampler sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(logits, sampler);
#else
  return krait::sample(logits, 0.8f);
#endif
}
