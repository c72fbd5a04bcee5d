// The key and the model are in the wrong order.
// expect: krait::init_for_training takes (key, model)
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  krait::init_for_training(krait::key(1), mutable_model);
#else
  krait::init_for_training(mutable_model, krait::key(1));
#endif
}
