// A character of a string, which is signed on some processors.
// expect: token must be one integer
// expect: bytes of text are unsigned char
#include <string>

#include "given.hpp"

void use(const std::string& text) {
#ifdef RIGHT
  krait::step(model, state, static_cast<unsigned char>(text[0]), logits);
#else
  krait::step(model, state, text[0], logits);
#endif
}
