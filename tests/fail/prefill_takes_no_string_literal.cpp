// The tokens are a string literal, whose terminating zero would be a token.
// expect: xs, the token ids, must be
// expect: a string literal would contain a terminating zero
#include <string_view>

#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::prefill(model, state, std::string_view("In the beginning"), logits);
#else
  krait::prefill(model, state, "In the beginning", logits);
#endif
}
