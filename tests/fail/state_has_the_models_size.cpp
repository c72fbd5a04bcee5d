// The state belongs to a model with other dims.
// expect: state, must be a krait::State<Model> of this model
// expect: ::wants<
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::State<Model> mine{};
  krait::step(model, mine, 5, logits);
#else
  krait::State<krait::Mamba<krait::resolve(krait::ModelDims{.vocab_size = 256, .d_model = 32})>> other{};
  krait::step(model, other, 5, logits);
#endif
}
