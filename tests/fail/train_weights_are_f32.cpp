// The weights of the model to train are int8.
// expect: this model cannot be trained: all weights must be f32
#include "given.hpp"

extern const krait::Mamba<krait::with_storage(dims, krait::Storage::int8)>* const small;

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(*small, state, tokens, both_logits, tape);
#endif
}
