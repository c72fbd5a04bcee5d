// The weights of the model to train are int8.
// expect: only weights of the storage type f32 can be trained
#include "given.hpp"

extern const krait::Mamba<krait::with_storage(dims, krait::Storage::int8)>* const small;

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(*small, state, tokens, both_logits, tape);
#endif
}
