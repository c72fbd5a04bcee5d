// A span whose length only its object knows.
// expect: the output must be a row of floats of known length
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
