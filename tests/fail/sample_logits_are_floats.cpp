// The logits are a vector of doubles.
// expect: logits must be a contiguous range of floats
#include "given.hpp"

extern const std::vector<float> some;
extern const std::vector<double> doubles;
extern krait::Sampler sampler;

std::size_t use() {
#ifdef RIGHT
  return krait::sample(some, sampler);
#else
  return krait::sample(doubles, sampler);
#endif
}
