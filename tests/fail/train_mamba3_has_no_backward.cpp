// A model of Mamba-3.
// expect: this model cannot be trained
// expect: Mamba-3 and user-defined layers have no backward pass
#include "given.hpp"

extern const krait::Mamba3<krait::resolve(krait::Mamba3Dims{.vocab_size = 32, .d_model = 16, .headdim = 16})>* const other;

void use() {
#ifdef RIGHT
  krait::record(model, state, tokens, both_logits, tape);
#else
  krait::record(*other, state, tokens, both_logits, tape);
#endif
}
