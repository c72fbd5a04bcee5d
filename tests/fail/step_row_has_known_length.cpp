// The input is a std::vector, whose length is not known at compile time.
// expect: krait::step
// expect: x must hold floats and have a length known at compile time
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<float> row(64);
  krait::step(block, block_state, std::span<const float, 64>(row), y);
#else
  std::vector<float> row(64);
  krait::step(block, block_state, row, y);
#endif
}
