// The program assigns the weights of a model with other dims.
// expect: assign|operator=|no viable|no match
#include "given.hpp"

void use() {
#ifdef RIGHT
  Model copy = model;
  copy = krait::init<Model>(krait::key(0));
#else
  Model copy = model;
  copy = krait::init<krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 256, .d_model = 32})>>(krait::key(0));
#endif
}
