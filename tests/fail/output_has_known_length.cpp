// The output is a span whose length is not known at compile time.
// expect: the output, y or ys, must hold floats and have a length known at compile time
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<float> row(256);
  krait::step(model, state, 5, std::span<float, 256>(row));
#else
  std::vector<float> row(256);
  krait::step(model, state, 5, std::span<float>(row));
#endif
}
