// The call of muon passes the moments of AdamW.
// expect: krait::MuonMemory<Model, Trained> (for muon) of this model
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
  krait::muon(*trained, gradients, moments, {});
#endif
}
