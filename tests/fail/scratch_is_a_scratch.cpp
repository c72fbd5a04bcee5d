// The scratch is an array of bytes.
// expect: scratch, must be a krait::Scratch<Model, n>
#include "given.hpp"

void use() {
#ifdef RIGHT
  krait::Scratch<Model, 16> room;
  krait::prefill(model, state, std::array{1, 2, 3}, logits, room);
#else
  std::array<std::byte, 65536> room;
  krait::prefill(model, state, std::array{1, 2, 3}, logits, room);
#endif
}
