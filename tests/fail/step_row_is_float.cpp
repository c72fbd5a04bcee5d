// The input is an array of doubles.
// expect: krait::step
// expect: x must hold floats
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::array<float, 64> row{};
  krait::step(block, block_state, row, y);
#else
  std::array<double, 64> row{};
  krait::step(block, block_state, row, y);
#endif
}
