// The output is an array of doubles.
// expect: the output, y or ys, must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::array<float, 256> row{};
  krait::step(model, state, 5, row);
#else
  std::array<double, 256> row{};
  krait::step(model, state, 5, row);
#endif
}
