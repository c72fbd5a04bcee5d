// The logits for a FilteredSampler are a std::vector, whose length is not known at compile time.
// expect: FilteredSampler needs logits of fixed length
#include "given.hpp"

extern const std::vector<float> some;
extern krait::FilteredSampler<256> sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(std::span<const float, 256>(some), sampler);
#else
  return krait::sample(some, sampler);
#endif
}
