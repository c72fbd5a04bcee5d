// Three wrong arguments: the first of them is reported.
// expect: the second argument, state, must be a krait::State<Model> of this model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::array{1, 2, 3}, logits);
#else
  krait::prefill(model, 1, 2, 3);
#endif
}
