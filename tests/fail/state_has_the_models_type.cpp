// The state belongs to another model, although its size is the same.
// expect: state, must be a krait::State<Model> of this model
// expect: got_type<
#include "given.hpp"

void use() {
#ifdef RIGHT
  using Mine = krait::MeanPool<64>;
  krait::State<Mine> mine{};
  krait::step(Mine{}, mine, x, y);
#else
  using Mine = krait::MeanPool<64>;
  krait::State<krait::MeanPool<63>> other{};
  krait::step(Mine{}, other, x, y);
#endif
}
