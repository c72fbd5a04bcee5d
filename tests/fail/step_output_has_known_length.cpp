// The output is a std::vector, whose length is not known at compile time.
// expect: the output, y or ys, must hold floats
// expect: std::span<float, n>(vector)
#include "given.hpp"

void use() {
#ifdef RIGHT
  std::vector<float> out(256);
  krait::step(model, state, 5, std::span<float, 256>(out));
#else
  std::vector<float> out(256);
  krait::step(model, state, 5, out);
#endif
}
