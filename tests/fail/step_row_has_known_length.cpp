// A row whose length only its object knows.
// expect: krait::step
// expect: x must be a row of floats of known length
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
