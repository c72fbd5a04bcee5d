// A string as the sequence of token ids, whose characters are signed on some processors.
// expect: xs, the token ids, must be an array, vector or span of integers, not of char
#include <string>

#include "given.hpp"

void use(const std::string& text, const std::vector<unsigned char>& bytes) {
#ifdef RIGHT
  krait::prefill(model, state, bytes, logits, scratch);
  (void)text;
#else
  krait::prefill(model, state, text, logits, scratch);
  (void)bytes;
#endif
}
