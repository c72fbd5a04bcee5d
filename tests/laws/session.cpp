// Tests that Session, StepByLayer and calls without an output give the same bits as step.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <krait/convert.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>
#include <krait/step_by_layer.hpp>
#include <memory>
#include <new>
#include <span>
#include <vector>

namespace {

constexpr auto dims = krait::noxton({.vocab_size = 24, .d_model = 12, .n_layers = 2});
using Model = krait::Mamba<dims>;
using Model2 = krait::Mamba2<krait::resolve(krait::Mamba2Dims{.vocab_size = 24, .d_model = 12, .n_layers = 2, .d_state = 5,
                                                              .headdim = 8})>;
using Model3 = krait::Mamba3<krait::resolve(krait::Mamba3Dims{.vocab_size = 24, .d_model = 12, .n_layers = 2, .d_state = 6,
                                                              .headdim = 8})>;
TEMPLATE_TEST_CASE("Session gives the same bits as step; reset starts a new sequence, and restore continues a saved one", "",
                   Model, Model2, Model3) {
  using Model = TestType;
  const Model model = krait::init<Model>(krait::key(5));
  const std::vector<int> tokens{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 23};
  krait::State<Model> state{};
  std::vector<krait::Tensor<float, Model::d_out>> logits(tokens.size());
  for (std::size_t t = 0; t < tokens.size(); ++t) krait::step(model, state, tokens[t], logits[t]);

  krait::Session session{model};
  krait::Session<Model, 5> in_chunks{model};
  for (int round = 0; round < 2; ++round) {
    for (std::size_t t = 0; t < 4; ++t) CHECK(session.step(tokens[t]) == logits[t]);
    const auto saved = session.state();
    CHECK(session.prefill(std::span(tokens).subspan(4)) == logits.back());
    session.restore(saved);
    for (std::size_t t = 4; t < tokens.size(); ++t) CHECK(session.step(tokens[t]) == logits[t]);
    CHECK(in_chunks.prefill(tokens) == logits.back());
    session.reset();
    in_chunks.reset();
    CHECK(session.output() == krait::Tensor<float, Model::d_out>{});
    CHECK(in_chunks.output() == krait::Tensor<float, Model::d_out>{});
    const krait::State<Model> fresh{};
    CHECK(std::memcmp(&session.state(), &fresh, sizeof(fresh)) == 0);
    CHECK(std::memcmp(&in_chunks.state(), &fresh, sizeof(fresh)) == 0);
  }
}

TEST_CASE("StepByLayer, which runs one layer a call, gives the same logits and state, to the bit, as step") {
  constexpr auto int8_dims = krait::resolve(krait::ModelDims{
      .vocab_size = 24, .d_model = 12, .n_layers = 3, .tied = false, .storage = krait::Storage::int8});
  const auto compare = []<class M>(const M& model) {
    krait::State<M> state, by_layer_state;
    krait::Tensor<float, M::d_out> logits, by_layer_logits;
    krait::StepByLayer by_layer{model, by_layer_state};
    CHECK_FALSE(by_layer.advance());  // begin has not been called yet
    for (const int token : {3, 1, 4, -1, 23}) {
      krait::step(model, state, token, logits);
      by_layer.begin(token);
      std::size_t calls = 1;
      while (by_layer.advance()) ++calls;
      CHECK(calls == M::n_layers);
      CHECK_FALSE(by_layer.advance());
      by_layer.finish(by_layer_logits);
      CHECK(by_layer_logits == logits);
      CHECK(std::memcmp(&by_layer_state, &state, sizeof(state)) == 0);
    }
    // If begin and finish are called early, they first run the remaining layers of the token.
    krait::step(model, state, 5, krait::no_output);
    krait::step(model, state, 6, krait::no_output);
    krait::step(model, state, 7, logits);
    by_layer.begin(std::uint8_t{5});
    by_layer.advance();
    by_layer.begin(6);
    by_layer.finish(krait::no_output);
    CHECK_FALSE(by_layer.advance());
    by_layer.begin(7);
    by_layer.finish(by_layer_logits);
    CHECK(by_layer_logits == logits);
    CHECK(std::memcmp(&by_layer_state, &state, sizeof(state)) == 0);
  };
  compare(krait::init<Model>(krait::key(5)));
  compare(krait::init<Model2>(krait::key(5)));
  compare(krait::init<Model3>(krait::key(5)));
  const auto wide = krait::init<krait::Mamba<krait::with_storage(int8_dims, krait::Storage::f32)>>(krait::key(6));
  krait::Mamba<int8_dims> narrow;
  krait::convert(wide, narrow);
  compare(narrow);
}

template <class Model, class Input>
void any_scratch_serves_a_step(const Model& model, const Input& x) {
  krait::State<Model> one_state, four_state, most_state;
  krait::Tensor<float, Model::d_out> one, four, most;
  krait::Scratch<Model> one_scratch;
  krait::Scratch<Model, 4> four_scratch;
  krait::Scratch<Model, 64> most_scratch;
  for (int t = 0; t < 3; ++t) {
    krait::step(model, one_state, x, one, one_scratch);
    krait::step(model, four_state, x, four, four_scratch);
    krait::step(model, most_state, x, most, most_scratch);
    CHECK(one == four);
    CHECK(one == most);
  }
  CHECK(std::memcmp(&one_state, &four_state, sizeof(one_state)) == 0);
  CHECK(std::memcmp(&one_state, &most_state, sizeof(one_state)) == 0);
}

// Checks that step and prefill with krait::no_output leave the same state as with an output, and that the next output is
// the same.
template <class Model, class Inputs>
void answers_left_out_change_nothing(const Model& model, const Inputs& xs) {
  const auto same = [](const krait::State<Model>& a, const krait::State<Model>& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  };
  krait::State<Model> state{}, silent{}, at_once{};
  krait::Tensor<float, Model::d_out> y, after_silence, after_prefill;
  krait::Scratch<Model> scratch;
  for (std::size_t t = 0; t < xs.size(); ++t) krait::step(model, state, xs[t], y);
  for (std::size_t t = 0; t + 1 < xs.size(); ++t) krait::step(model, silent, xs[t], krait::no_output, scratch);
  krait::Session session{model};
  for (std::size_t t = 0; t + 1 < xs.size(); ++t) session.step(xs[t], krait::no_output);
  CHECK(krait::prefill(model, at_once, std::span(xs).first(xs.size() - 1), krait::no_output) == xs.size() - 1);
  CHECK(same(at_once, silent));
  CHECK(same(session.state(), silent));
  krait::step(model, silent, xs.back(), after_silence);
  krait::prefill(model, at_once, std::span(xs).last(1), after_prefill);
  CHECK(after_silence == y);
  CHECK(after_prefill == y);
  CHECK(session.step(xs.back()) == y);
  CHECK(same(silent, state));
  CHECK(same(at_once, state));
}

template <class Pool>
struct PoolingParts {
  KRAIT_PARAMS(PoolingParts,
    (krait::Linear<krait::LinearDims{.d_in = 5, .d_out = 12, .bias = true}>, embed),
    (krait::MambaBlock<krait::resolve(krait::BlockDims{.d_model = 12})>, mixer),
    (Pool, pool),
    (krait::Linear<krait::LinearDims{.d_in = 12, .d_out = 3}>, classify));
};

TEST_CASE("step and prefill with krait::no_output leave the same state, to the bit, as with an output") {
  const std::vector<int> tokens{3, 1, 4, 1, 5, 9, 2, 6, 5, 3};
  answers_left_out_change_nothing(krait::init<Model>(krait::key(6)), tokens);
  answers_left_out_change_nothing(krait::init<Model2>(krait::key(6)), tokens);
  answers_left_out_change_nothing(krait::init<Model3>(krait::key(6)), tokens);
  std::vector<krait::Tensor<float, 5>> rows(70);
  for (std::size_t i = 0; i < 350; ++i) rows[i / 5][i % 5] = krait::uniform(krait::key(7), i, -1.0f, 1.0f);
  const auto pooling = [&]<class Pool>(Pool) {
    auto model = std::make_unique<krait::Stack<PoolingParts<Pool>>>();
    krait::init(krait::key(8), *model);
    answers_left_out_change_nothing(*model, rows);
  };
  pooling(krait::MeanPool<12>{});
  pooling(krait::MaxPool<12>{});
  pooling(krait::LastPool<12>{});
}

TEST_CASE("step gives the same bits with a scratch for 4 or 64 tokens as with a scratch for one token") {
  any_scratch_serves_a_step(krait::init<Model>(krait::key(5)), 7);
  any_scratch_serves_a_step(krait::init<Model2>(krait::key(5)), 7);
  any_scratch_serves_a_step(krait::init<Model3>(krait::key(5)), 7);
  using Pooling = krait::Stack<PoolingParts<krait::MeanPool<12>>>;
  any_scratch_serves_a_step(krait::init<Pooling>(krait::key(8)), std::array<float, 5>{1.0f, -2.0f, 0.5f, 3.0f, -1.0f});
}

// Checks that a state default-initialised in memory full of 0xA5 has only zero bytes.
template <class Model>
void state_is_fresh() {
  using State = krait::State<Model>;
  static_assert(std::is_trivially_copyable_v<State>);
  alignas(State) std::array<unsigned char, sizeof(State)> memory;
  memory.fill(0xA5);
  ::new (memory.data()) State;
  CHECK(std::all_of(memory.begin(), memory.end(), [](unsigned char byte) { return byte == 0; }));
}

TEST_CASE("default-initialising a state sets all of its bytes to zero, which is the state of a new sequence") {
  constexpr auto block = krait::resolve(krait::BlockDims{.d_model = 12});
  state_is_fresh<Model>();
  state_is_fresh<Model2>();
  state_is_fresh<Model3>();
  state_is_fresh<krait::MambaBlock<block>>();
  state_is_fresh<krait::Conv1d<krait::Conv1dDims{.channels = 5}>>();
  state_is_fresh<krait::SelectiveStateSpace<krait::resolve(krait::SsmDims{.d_inner = 5, .d_model = 3})>>();
  state_is_fresh<krait::MeanPool<7>>();
  state_is_fresh<krait::MaxPool<7>>();
  state_is_fresh<krait::PositionalEmbedding<9, 7>>();
  state_is_fresh<krait::StridedConv1d<krait::StridedConv1dDims{.channels = 3, .d_out = 7, .kernel = 6, .stride = 2}>>();
  state_is_fresh<krait::Residual<krait::Conv1d<krait::Conv1dDims{.channels = 7}>>>();
  state_is_fresh<krait::Stack<PoolingParts<krait::MeanPool<12>>>>();
  state_is_fresh<krait::Stack<PoolingParts<krait::LastPool<12>>>>();
}

}  // namespace
