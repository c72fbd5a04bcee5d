// The model that muon must change is const.
// expect: the first argument, model, must not be const
#include "given.hpp"

struct Hidden {
  static constexpr bool trains(std::string_view name) { return name.ends_with("in_proj.weight"); }
};
extern Model* trained;
extern krait::MuonMemory<Model, Hidden> memory;

void use() {
#ifdef RIGHT
  krait::muon(*trained, gradients, memory, {});
#else
  krait::muon(model, gradients, memory, {});
#endif
}
