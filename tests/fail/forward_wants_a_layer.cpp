// Sequence and model in each other's place.
// expect: krait::forward
// expect: must be a layer
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::forward(model, std::array{1, 2, 3});
#else
  krait::forward(std::array{1, 2, 3}, model);
#endif
}
