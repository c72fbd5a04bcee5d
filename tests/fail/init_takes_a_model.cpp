// The call initialises a tensor.
// expect: the model must be a layer or model of Krait
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  krait::init(krait::key(1), mutable_model);
#else
  krait::init(krait::key(1), x);
#endif
}
