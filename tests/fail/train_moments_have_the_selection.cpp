// The moments belong to another model.
// expect: the third argument must be a krait::Moments<Model> (for adamw)
#include "given.hpp"

extern Model* trained;

void use() {
#ifdef RIGHT
  krait::adamw(*trained, gradients, moments, {});
#else
  krait::Moments<Block> others;
  krait::adamw(*trained, gradients, others, {});
#endif
}
