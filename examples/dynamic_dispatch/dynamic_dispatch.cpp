// Compiles the model for all of Highway's targets and, at run time, chooses the best target that the processor supports.
// Compile the program without -march, and link Highway's library.

// Disables the targets whose vectors have an unknown length, because Krait does not support them.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dynamic_dispatch.cpp"  // this file, which is compiled once more for each target
#include <hwy/foreach_target.h>

#include <krait/init.hpp>
#include <krait/ops/calls-inl.hpp>

#ifndef EXAMPLE_MODEL  // declarations that do not depend on the target
#define EXAMPLE_MODEL
using Model = krait::Mamba<krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 2})>;
using Logits = krait::Tensor<float, Model::vocab_size>;
#endif

HWY_BEFORE_NAMESPACE();
namespace example {
namespace HWY_NAMESPACE {

// Calls this target's step. krait::step would be the step of the one target that <krait.hpp> selects.
void step(const Model& model, krait::State<Model>& state, int token, Logits& logits) {
  krait::HWY_NAMESPACE::step(model, state, token, logits);
}
bool has_fma() { return krait::HWY_NAMESPACE::has_fma; }

}  // namespace HWY_NAMESPACE
}  // namespace example
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstdio>
#include <cstring>

namespace example {
HWY_EXPORT(step);
HWY_EXPORT(has_fma);
}  // namespace example

int main() {
  static const Model model = krait::init<Model>(krait::key(3));
  const auto targets = hwy::SupportedAndGeneratedTargets();  // the best target first
  std::printf("chosen: %s\n", hwy::TargetName(targets[0]));
  Logits best{};
  bool same = true;
  for (const auto target : targets) {
    hwy::SetSupportedTargetsForTest(target);  // makes Highway choose this target
    krait::State<Model> state{};
    Logits logits{};
    for (int token = 0; token < 64; ++token) HWY_DYNAMIC_DISPATCH(example::step)(model, state, token, logits);
    if (target == targets[0]) best = logits;
    const bool equal = std::memcmp(&logits, &best, sizeof(best)) == 0;
    const bool fma = HWY_DYNAMIC_DISPATCH(example::has_fma)();
    std::printf("%s: %s\n", hwy::TargetName(target),
                !fma ? "no fused multiply-add" : equal ? "the same bits" : "not the same bits");
    same = same && (equal || !fma);
  }
  return same ? 0 : 1;
}
#endif
