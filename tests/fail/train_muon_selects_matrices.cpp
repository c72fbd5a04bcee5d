// The memory for muon selects the weight of a norm.
// expect: krait::muon: memory must select only matrices
#include "given.hpp"

struct Hidden {
  static constexpr bool trains(std::string_view name) { return name.ends_with("in_proj.weight"); }
};
extern Model* trained;
extern krait::MuonMemory<Model, Hidden> memory;

struct Norms {
  static constexpr bool trains(std::string_view name) { return name == "backbone.norm_f.weight"; }
};
extern krait::MuonMemory<Model, Norms> norms;

void use() {
#ifdef RIGHT
  krait::muon(*trained, gradients, memory, {});
#else
  krait::muon(*trained, gradients, norms, {});
#endif
}
