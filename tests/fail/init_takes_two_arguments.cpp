// The call lacks the model.
// expect: krait::init takes (key, model)
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  krait::init(krait::key(1), mutable_model);
#else
  krait::init(krait::key(1));
#endif
}
