// Divides a step of a stack into one call of krait::step for each member.
#ifndef EXAMPLES_COOPERATIVE_BY_MEMBER_HPP
#define EXAMPLES_COOPERATIVE_BY_MEMBER_HPP

#include <array>

#include <krait.hpp>

using Front = krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 24, .kernel = 8, .stride = 4}>;
using Block = krait::ResidualBlock<krait::resolve(krait::BlockDims{.d_model = 24})>;
struct Parts {
  KRAIT_PARAMS(Parts,
    (Front, front),
    (std::array<Block, 2>, layers),
    (krait::MeanPool<24>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 24, .d_out = 4}>, classifier));
};
using Classifier = krait::Stack<Parts>;

struct MemberStates {  // takes the place of krait::State<Classifier>
  krait::State<Front> front;
  std::array<krait::State<Block>, 2> layers;
  krait::State<krait::MeanPool<24>> pool;
  std::size_t tokens = 0;  // the number of tokens so far, which stops at warm_up
};

// Calls other_work() between members. Gives the same bits as krait::step(model, state, x, y).
template <class F>
void step_by_member(const Classifier& model, MemberStates& states, const krait::Tensor<float, Classifier::d_in>& x,
                    krait::Tensor<float, Classifier::d_out>& y, F other_work) {
  krait::Tensor<float, 24> a, b;
  krait::step(model.front, states.front, x, a);
  if (states.tokens < krait::warm_up<Classifier>) {  // `front` has no output yet, so the other members must not run
    ++states.tokens;
    y = {};
    return;
  }
  other_work();
  krait::step(model.layers[0], states.layers[0], a, b);
  other_work();
  krait::step(model.layers[1], states.layers[1], b, a);
  other_work();
  krait::step(model.pool, states.pool, a, b);
  krait::NoState none;
  krait::step(model.classifier, none, b, y);
}

#endif
