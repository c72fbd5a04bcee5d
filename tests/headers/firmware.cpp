// A firmware program that uses the library: step, prefill and forward for a language model, a block and a stack that pools,
// streams, sampling, an image viewed in place and a saved state. With KRAIT_IMAGE defined it has a main function.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <krait.hpp>
#include <krait/image.hpp>
#include <krait/snapshot.hpp>
#include <krait/streams.hpp>

namespace {

constexpr auto dims = krait::resolve({.vocab_size = 32, .d_model = 24, .n_layers = 2, .d_state = 8});
using Model = krait::Mamba<dims>;
constexpr auto block_dims = krait::block_dims(dims);
using Block = krait::MambaBlock<block_dims>;
struct Parts {
  KRAIT_PARAMS(Parts,
    (krait::Linear<krait::LinearDims{.d_in = 6, .d_out = 24, .bias = true}>, linear_in),
    (krait::ResidualBlock<block_dims>, block),
    (krait::MeanPool<24>, pool),
    (krait::Linear<krait::LinearDims{.d_in = 24, .d_out = 4}>, classifier));
};
using Classifier = krait::Stack<Parts>;

}  // namespace

// The weights are constants in flash. They are zeros because only symbols and sections are tested. The state and the scratch
// are in RAM.
extern constinit const Model model{};
extern constinit const Block block{};
extern constinit const Classifier classifier{};
constinit krait::State<Model> state{};
constinit krait::State<Block> block_state{};
constinit krait::State<Classifier> classifier_state{};
constinit krait::Sampler sampler{};
krait::Scratch<Model> scratch;
krait::Scratch<Model, 4> prefill_scratch;
krait::Streams<Classifier, 3> streams{classifier};

std::size_t step_model(int token, std::span<float, 32> logits) {
  krait::step(model, state, token, logits, scratch);
  return krait::sample(logits, sampler);
}
std::size_t prefill_model(std::span<const unsigned char> tokens, std::span<float, 32> logits) {
  return krait::prefill(model, state, tokens, logits, prefill_scratch);
}
float forward_model(const std::array<int, 3>& tokens) { return krait::forward(model, tokens)[2][0]; }

void step_block(std::span<const float, 24> x, std::span<float, 24> y) { krait::step(block, block_state, x, y); }
std::size_t prefill_block(std::span<const krait::Tensor<float, 24>> xs, std::span<krait::Tensor<float, 24>> ys) {
  return krait::prefill(block, block_state, xs, ys);
}
float forward_block(const krait::Tensor<float, 3, 24>& xs) { return krait::forward(block, xs)[2][0]; }

void step_classifier(std::span<const float, 6> x, std::span<float, 4> y) { krait::step(classifier, classifier_state, x, y); }
std::size_t prefill_classifier(std::span<const krait::Tensor<float, 6>> xs, std::span<float, 4> y) {
  return krait::prefill(classifier, classifier_state, xs, y);
}
float forward_classifier(const krait::Tensor<float, 3, 6>& xs) { return krait::forward(classifier, xs)[0]; }

std::size_t step_classifiers(const krait::Tensor<float, 2, 6>& xs, krait::Tensor<float, 2, 4>& ys) {
  const std::array ids{streams.join(), streams.join()};
  return streams.step(ids, xs, ys) && streams.leave(ids[0]) ? streams.size() : streams.full;
}
std::size_t prefill_texts(const std::array<std::array<int, 3>, 2>& texts, krait::Tensor<float, 2, 32>& logits) {
  std::array<krait::State<Model>, 2> states{};
  return krait::prefill_streams(model, states, texts, logits);
}

krait::Problem view_model(std::span<const std::byte> bytes, const krait::Image<Model>*& image) {
  return krait::view_image(bytes, image).problem;
}
void save_state(krait::Snapshot<krait::State<Model>>& snapshot) { krait::save_state(state, krait::fingerprint(model), snapshot); }
std::size_t restore_state(std::span<const std::byte> bytes, std::uint32_t fingerprint) {
  return krait::restore_state(bytes, fingerprint, state).message().size;
}

#ifdef KRAIT_IMAGE
krait::Snapshot<krait::State<Model>> snapshot;
volatile float sink;

int main() {
  std::array<float, 32> logits{};
  const std::array<unsigned char, 5> tokens{1, 2, 3, 4, 5};
  krait::Tensor<float, 3, 24> rows{};
  krait::Tensor<float, 3, 24> answers{};
  krait::Tensor<float, 3, 6> readings{};
  std::array<float, 4> scores{};
  sink = static_cast<float>(step_model(1, logits) + prefill_model(tokens, logits)) + forward_model({1, 2, 3});
  step_block(std::span<const float, 24>(rows[0].data(), 24), std::span<float, 24>(answers[0].data(), 24));
  sink = sink + static_cast<float>(prefill_block(rows, answers)) + forward_block(rows);
  step_classifier(std::span<const float, 6>(readings[0].data(), 6), scores);
  sink = sink + static_cast<float>(prefill_classifier(readings, scores)) + forward_classifier(readings) + logits[0] + scores[0];
  krait::Tensor<float, 2, 6> both{};
  krait::Tensor<float, 2, 4> both_scores{};
  krait::Tensor<float, 2, 32> both_logits{};
  sink = sink + static_cast<float>(step_classifiers(both, both_scores) + prefill_texts({}, both_logits)) + both_logits[1][0];
  const krait::Image<Model>* image = nullptr;
  save_state(snapshot);
  sink = sink + static_cast<float>(restore_state(snapshot.bytes(), 1)) + static_cast<float>(view_model(snapshot.bytes(), image));
  return 0;
}
#endif
