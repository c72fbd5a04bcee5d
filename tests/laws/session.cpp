// Session adds no arithmetic.
#include <catch2/catch.hpp>
#include <krait/init.hpp>
#include <krait/session.hpp>
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
  }
}

}  // namespace
