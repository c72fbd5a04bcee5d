// The moments select parameters that have no gradients.
// expect: cover a parameter without a gradient
#include "given.hpp"

struct Hidden {
  static constexpr bool trains(std::string_view name) { return name.ends_with("in_proj.weight"); }
};
extern Model* trained;
extern krait::MuonMemory<Model, Hidden> memory;

extern krait::Gradients<Model, Hidden> few;

void use() {
#ifdef RIGHT
  krait::adamw(*trained, gradients, moments, {});
#else
  krait::adamw(*trained, few, moments, {});
#endif
}
