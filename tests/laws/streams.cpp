// Tests step_streams, prefill_streams and Streams with models of this file: executors, ids, and states that occur twice in a
// call.
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <krait/init.hpp>
#include <krait/streams.hpp>

namespace {

// An executor that counts its calls. It starts threads only for every 16th call, because starting threads takes long with
// sanitizers. In the other calls it runs the parts one after the other, starting with the last part.
struct Threads {
  std::size_t threads;
  std::size_t calls = 0;
  std::size_t size() const { return threads; }
  void operator()(std::size_t n, krait::Task task) {
    if (calls++ % 16 != 0) {
      for (std::size_t part = n; part > 0; --part) task(part - 1);
      return;
    }
    std::vector<std::thread> started;
    for (std::size_t i = 1; i < n; ++i) started.emplace_back(task, i);
    task(0);
    for (auto& thread : started) thread.join();
  }
};

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

constexpr std::size_t d_in = 5, d_out = 7;
template <krait::Storage storage>
struct Wide {
  static constexpr auto dims = krait::resolve(
      krait::BlockDims{.d_model = 72, .d_state = 3, .d_inner = 200, .dt_rank = 20, .storage = storage});
  // Heads of 8 channels are padded to 16, the unit in which an executor divides the channels.
  static constexpr auto dims2 = krait::resolve(
      krait::Mamba2BlockDims{.d_model = 72, .d_state = 6, .d_inner = 120, .headdim = 8, .ngroups = 3, .storage = storage});
  static constexpr auto dims3 = krait::resolve(krait::Mamba3BlockDims{
      .d_model = 72, .d_state = 6, .d_inner = 120, .headdim = 8, .mimo_rank = 2, .storage = storage});
  struct Parts {
    KRAIT_PARAMS(Parts, (krait::Linear<krait::LinearDims{.d_in = d_in, .d_out = 72, .storage = storage}>, in),
                 (std::array<krait::ResidualBlock<dims>, 2>, layers), (krait::ResidualBlock<dims2>, layer2),
                 (krait::ResidualBlock<dims3>, layer3),
                 (krait::Linear<krait::LinearDims{.d_in = 72, .d_out = d_out, .storage = storage}>, out));
  };
  using Model = krait::Stack<Parts>;
};

template <class Model>
void check_threads(std::size_t threads) {
  auto model = std::make_unique<Model>();
  krait::init(krait::key(1), *model);
  constexpr std::size_t n = 37;
  using X = krait::Tensor<float, d_in>;
  using Y = krait::Tensor<float, d_out>;
  std::vector<krait::State<Model>> alone(n), together(n);
  std::vector<X> xs(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < d_in; ++c) xs[i][c] = krait::uniform(krait::key(2), i * d_in + c, -2.0f, 2.0f);
  std::vector<Y> each(n), ys(n);
  krait::Scratch<Model> one;
  auto scratch = std::make_unique<krait::StreamScratch<Model, 32>>();
  Threads executor{threads};
  for (int t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < n; ++i) krait::step(*model, alone[i], xs[i], each[i], one);
    krait::step_streams(*model, together, xs, ys, *scratch, executor);
    CHECK(same_bytes(each, ys));
    CHECK(same_bytes(alone, together));
  }
  const std::vector<std::vector<X>> sequences{xs, {}, {xs[3]}, xs};
  std::vector<std::vector<Y>> outputs{std::vector<Y>(n), {}, std::vector<Y>(1), std::vector<Y>(n - 2)};
  CHECK(krait::prefill_streams(*model, together, sequences, outputs, *scratch, executor) == 2 * n - 1);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    std::vector<Y> expected(outputs[i].size());
    krait::prefill(*model, alone[i], sequences[i], expected);
    CHECK(same_bytes(expected, outputs[i]));
  }
  CHECK(same_bytes(alone, together));
  CHECK((executor.calls > 0) == (threads > 1));
}

TEST_CASE("an executor with any number of threads gives the same bits as one thread, with every storage type") {
#ifdef LAWS_QUICK
  const std::vector<std::size_t> numbers{1, 3};
#else
  const std::vector<std::size_t> numbers{1, 2, 3, 4, 5, 6, 7, 8};
#endif
  for (const std::size_t threads : numbers) {
    check_threads<Wide<krait::Storage::f32>::Model>(threads);
    check_threads<Wide<krait::Storage::bf16>::Model>(threads);
    check_threads<Wide<krait::Storage::f16>::Model>(threads);
    check_threads<Wide<krait::Storage::int8>::Model>(threads);
  }
}

constexpr auto text_dims = krait::resolve({.vocab_size = 150, .d_model = 96, .n_layers = 2});
using Text = krait::Mamba<text_dims>;
using Logits = krait::Tensor<float, Text::vocab_size>;

struct TextStreams {
  Text model;
  TextStreams() { krait::init(krait::key(1), model); }
};

TEST_CASE("prefill_streams writes the logits of every token of several sequences, also with an executor") {
  const auto model = std::make_unique<TextStreams>();
  const std::vector<std::vector<int>> texts{{1, 2, 3}, {}, std::vector<int>(40, 9), {149, -1, 150}};
  for (const std::size_t threads : {1, 2}) {
    std::vector<krait::State<Text>> alone(4), together(4);
    std::vector<std::vector<Logits>> expected, logits;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      expected.emplace_back(texts[i].size());
      logits.emplace_back(texts[i].size());
      krait::prefill(model->model, alone[i], texts[i], expected[i]);
    }
    Threads executor{threads};
    auto scratch = std::make_unique<krait::StreamScratch<Text, 16>>();
    CHECK(krait::prefill_streams(model->model, together, texts, logits, *scratch, executor) == 46);
    for (std::size_t i = 0; i < texts.size(); ++i) CHECK(same_bytes(expected[i], logits[i]));
    CHECK(same_bytes(alone, together));
  }
}

TEST_CASE("prefill_streams with no_output only advances states; otherwise it writes each stream's last logits") {
  const auto model = std::make_unique<TextStreams>();
  const std::vector<std::vector<int>> texts{{1, 2, 3}, {}, std::vector<int>(40, 9), {5}};
  std::vector<krait::State<Text>> silent(4), together(4), alone(4);
  std::vector<Logits> logits(4), expected(4);
  for (auto& row : logits) row[0] = -77.0f;
  expected = logits;
  for (std::size_t i = 0; i < 4; ++i) krait::prefill(model->model, alone[i], texts[i], expected[i]);
  CHECK(krait::prefill_streams(model->model, silent, texts, krait::no_output) == 44);
  CHECK(krait::prefill_streams(model->model, together, texts, logits) == 44);
  CHECK(same_bytes(alone, silent));
  CHECK(same_bytes(alone, together));
  CHECK(same_bytes(expected, logits));
  CHECK(logits[1][0] == -77.0f);
  CHECK(krait::step_streams(model->model, silent, std::vector<int>{1, 2}, krait::no_output) == 2);
  krait::step_streams(model->model, together, std::vector<int>{1, 2}, logits);
  CHECK(same_bytes(silent, together));
}

TEST_CASE("if a call lists a state several times, this state processes its tokens one after the other") {
  const auto model = std::make_unique<TextStreams>();
  krait::State<Text> alone, other, twice, third;
  std::vector<Logits> expected(5), logits(5);
  const std::vector<int> tokens{3, 1, 4, 1, 5};
  for (const std::size_t i : {0, 1, 3}) krait::step(model->model, alone, tokens[i], expected[i]);
  for (const std::size_t i : {2, 4}) krait::step(model->model, other, tokens[i], expected[i]);
  const std::vector<krait::State<Text>*> states{&twice, &twice, &third, &twice, &third};
  krait::step_streams(model->model, states, tokens, logits);
  CHECK(same_bytes(expected, logits));
  CHECK(std::memcmp(&alone, &twice, sizeof(alone)) == 0);
  CHECK(std::memcmp(&other, &third, sizeof(other)) == 0);
}

TEST_CASE("Streams::join returns the smallest free id and starts a fresh sequence; Streams rejects ids that have not joined") {
  const auto model = std::make_unique<TextStreams>();
  auto streams = std::make_unique<krait::Streams<Text, 3>>(model->model);
  CHECK(streams->join() == 0);
  CHECK(streams->join() == 1);
  CHECK(streams->join() == 2);
  CHECK(streams->join() == streams->full);
  CHECK(streams->size() == 3);
  std::vector<Logits> logits(3), expected(3);
  CHECK(streams->step(std::vector<int>{2, 0}, std::vector<int>{7, 8}, logits));
  krait::State<Text> zero, two;
  krait::step(model->model, two, 7, expected[0]);
  krait::step(model->model, zero, 8, expected[1]);
  CHECK(same_bytes(expected, logits));
  CHECK(std::memcmp(&streams->state(2), &two, sizeof(two)) == 0);
  CHECK(streams->leave(1));
  CHECK_FALSE(streams->leave(1));
  CHECK_FALSE(streams->contains(1));
  const auto before = streams->state(0);
  for (const std::vector<int>& wrong : {std::vector<int>{0, 1}, {0, 3}, {0, -1}, {0}, {0, 2, 0}})
    CHECK_FALSE(streams->step(wrong, std::vector<int>{7, 8}, logits));
  CHECK(std::memcmp(&streams->state(0), &before, sizeof(before)) == 0);
  CHECK(same_bytes(expected, logits));
  CHECK(streams->leave(2));
  CHECK(streams->join() == 1);
  CHECK(streams->join() == 2);
  const krait::State<Text> fresh;
  CHECK(std::memcmp(&streams->state(2), &fresh, sizeof(fresh)) == 0);
  CHECK(streams->prefill(std::vector<int>{2, 1}, std::vector<std::vector<int>>{{7}, {1, 2}}, logits));
  CHECK(std::memcmp(&streams->state(2), &two, sizeof(two)) == 0);
}

TEST_CASE("a StreamScratch consists of a Scratch, a list of sequences, and inputs and outputs if the model needs them") {
  constexpr std::size_t tokens = 16, list = tokens * 4 * sizeof(std::size_t);
  CHECK(krait::stream_scratch_bytes<Text, tokens> == krait::scratch_bytes<Text, tokens> + list);
  using Model = Wide<krait::Storage::f32>::Model;
  constexpr std::size_t vectors = tokens * (16 + 16) * sizeof(float);
  CHECK(krait::stream_scratch_bytes<Model, tokens> == krait::scratch_bytes<Model, tokens> + list + vectors);
}

}  // namespace
