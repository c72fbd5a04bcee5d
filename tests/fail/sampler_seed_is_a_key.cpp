// The seed of a sampler is an integer instead of a krait::Key.
// expect: Key
#include "given.hpp"

void use() {
#ifdef RIGHT
  [[maybe_unused]] krait::Sampler sampler{.temperature = 0.7f, .seed = krait::key(1)};
#else
  [[maybe_unused]] krait::Sampler sampler{.temperature = 0.7f, .seed = 1};
#endif
}
