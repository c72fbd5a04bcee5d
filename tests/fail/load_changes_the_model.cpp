// The model is const.
// expect: the model must not be const, because load writes its weights
#include <krait/load.hpp>
#include "given.hpp"

extern Model mutable_model;

void use() {
#ifdef RIGHT
  if (!krait::load_file("model.safetensors", mutable_model).ok()) return;
#else
  if (!krait::load_file("model.safetensors", model).ok()) return;
#endif
}
