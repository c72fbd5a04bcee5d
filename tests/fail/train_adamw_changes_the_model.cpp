// The model that adamw must change is const.
// expect: the first argument, model, must not be const
#include "given.hpp"

extern Model* trained;

void use() {
#ifdef RIGHT
  krait::adamw(*trained, gradients, moments, {});
#else
  krait::adamw(model, gradients, moments, {});
#endif
}
