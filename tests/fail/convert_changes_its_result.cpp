// The model that receives the weights is const.
// expect: `to` must not be const, because convert writes its weights
#include <krait/convert.hpp>
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  krait::convert(model, mutable_model);
#else
  krait::convert(mutable_model, model);
#endif
}
