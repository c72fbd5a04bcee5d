// The model is const.
// expect: the model must not be const, because init writes its weights
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  krait::init(krait::key(1), mutable_model);
#else
  krait::init(krait::key(1), model);
#endif
}
