// Runs a step of a language model layer by layer, and a step of a stack member by member, with other work in between, as in a
// scheduler without preemption.
#include <cstdio>
#include <cstring>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/snapshot.hpp>
#include <krait/step_by_layer.hpp>

#include "by_member.hpp"

using Model = krait::Mamba<krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 4})>;

bool language_model() {
  static const Model model = krait::init<Model>(krait::key(4));
  static krait::State<Model> state, whole_state;
  static krait::Tensor<float, Model::vocab_size> logits, whole_logits;
  static krait::StepByLayer by_layer{model, state};

  int other_work = 0;
  bool same = true;
  for (int token = 0; token < 10; ++token) {
    by_layer.begin(token);
    do ++other_work;  // such as polling a sensor, which waits for at most one layer
    while (by_layer.advance());
    by_layer.finish(logits);
    krait::step(model, whole_state, token, whole_logits);
    same = same && logits == whole_logits;
  }
  std::printf("10 tokens, %zu layers: other work ran %d times\n", Model::n_layers, other_work);
  std::printf("logits equal those of krait::step: %s\n", same ? "yes, to the bit" : "no");
  return same;
}

bool stack() {
  static const Classifier model = krait::init<Classifier>(krait::key(5));
  static krait::State<Classifier> whole_state;
  static MemberStates states;
  static krait::Snapshot<MemberStates> saved;

  int other_work = 0;
  bool same = true;
  for (std::uint64_t token = 0; token < 10; ++token) {
    krait::Tensor<float, Classifier::d_in> x;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = krait::uniform(krait::key(6), token * x.size() + i, -1.0f, 1.0f);
    krait::Tensor<float, Classifier::d_out> y, whole_y;
    step_by_member(model, states, x, y, [&] { ++other_work; });
    krait::step(model, whole_state, x, whole_y);
    same = same && std::memcmp(&y, &whole_y, sizeof(y)) == 0;

    krait::save_state(states, krait::fingerprint(model), saved);  // a snapshot of all members' states
    states = {};
    same = same && krait::restore_state(saved.bytes(), krait::fingerprint(model), states).ok();
  }
  std::printf("10 tokens, of which %zu has no output: other work ran %d times\n", krait::warm_up<Classifier>, other_work);
  std::printf("outputs equal those of the stack: %s\n", same ? "yes, to the bit" : "no");
  return same;
}

int main() {
  const bool language_model_same = language_model(), stack_same = stack();
  return language_model_same && stack_same ? 0 : 1;
}
