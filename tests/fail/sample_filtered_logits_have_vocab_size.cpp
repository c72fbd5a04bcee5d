// vocab_size of the FilteredSampler differs from the number of logits.
// expect: logits must have vocab_size elements
#include "given.hpp"

extern krait::FilteredSampler<256> right;
extern krait::FilteredSampler<128> sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(logits, right);
#else
  return krait::sample(logits, sampler);
#endif
}
