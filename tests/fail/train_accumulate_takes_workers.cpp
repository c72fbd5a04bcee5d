// The number of workers is in the place of the workers.
// expect: workers must be an array, vector or span of krait::Worker
#include "given.hpp"

extern std::array<krait::Worker<Model, 2>, 2> workers;

void use() {
#ifdef RIGHT
  krait::accumulate(4, workers, gradients, [](auto&, std::size_t) {});
#else
  krait::accumulate(4, 2, gradients, [](auto&, std::size_t) {});
#endif
}
