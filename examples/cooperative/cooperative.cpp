// Runs a step of a language model layer by layer, with other work in between, as in a scheduler without preemption.
#include <cstdio>

#include <krait.hpp>
#include <krait/init.hpp>
#include <krait/step_by_layer.hpp>

using Model = krait::Mamba<krait::resolve({.vocab_size = 64, .d_model = 32, .n_layers = 4})>;

int main() {
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
  return same ? 0 : 1;
}
