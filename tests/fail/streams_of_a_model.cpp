// The Streams are constructed from a state instead of a model.
// expect: krait::Streams<Model, capacity> streams{model}: model must be a layer or a model
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Streams<Model, 2> streams{model};
  streams.step(tokens, tokens, both_logits);
#else
  krait::Streams<krait::State<Model>, 2> streams{state};
  const std::size_t id = streams.join();
  streams.step(tokens, tokens, both_logits);
  streams.leave(id);
#endif
}
