// Session adds no arithmetic.
#include <catch2/catch.hpp>
#include <cstring>
#include <krait/init.hpp>
#include <krait/session.hpp>
#include <memory>
#include <span>
#include <vector>

namespace {

constexpr auto dims = krait::noxton({.vocab_size = 24, .d_model = 12, .n_layers = 2});
using Model = krait::Mamba<dims>;

TEST_CASE("a session gives the bits of steps, reset starts afresh, and a restored state continues") {
  const Model model = krait::init<Model>(krait::key(5));
  const std::vector<int> tokens{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 23};
  krait::State<Model> state{};
  std::vector<krait::Tensor<float, dims.vocab_size>> logits(tokens.size());
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
    CHECK(session.output() == decltype(logits)::value_type{});
    CHECK(in_chunks.output() == decltype(logits)::value_type{});
    const krait::State<Model> fresh{};
    CHECK(std::memcmp(&session.state(), &fresh, sizeof(fresh)) == 0);
    CHECK(std::memcmp(&in_chunks.state(), &fresh, sizeof(fresh)) == 0);
  }
}

// By step and by prefill, of sequences whose answers are wanted now and then.
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

TEST_CASE("steps and prefills without an output leave the state of those with one") {
  answers_left_out_change_nothing(krait::init<Model>(krait::key(6)), std::vector<int>{3, 1, 4, 1, 5, 9, 2, 6, 5, 3});
  std::vector<krait::Tensor<float, 5>> rows(70);
  for (std::size_t i = 0; i < 350; ++i) rows[i / 5][i % 5] = krait::uniform(krait::key(7), i, -1.0f, 1.0f);
  const auto pooling = [&]<class Pool>(Pool) {
    auto model = std::make_unique<krait::Stack<PoolingParts<Pool>>>();
    krait::init(krait::key(8), *model);
    answers_left_out_change_nothing(*model, rows);
  };
  pooling(krait::MeanPool<12>{});
  pooling(krait::LastPool<12>{});
}

}  // namespace
