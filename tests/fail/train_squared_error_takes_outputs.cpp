// The output is a std::vector, whose length is not known at compile time.
// expect: the first argument of a loss must be a vector of floats whose length is known at compile time
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::squared_error(y, x, y);
#else
  std::vector<float> many(64);
  krait::squared_error(many, x, y);
#endif
}
