// Program for same_training.py: trains a language model of Mamba-1, one of Mamba-2 and a classifier for 100 steps, and prints
// hashes of their weights, moments and losses, with one worker and with two. On a host, the two workers run on two threads.
#include "../../examples/firmware/firmware.hpp"

#include <array>
#include <cstring>

#include <krait.hpp>
#include <krait/train.hpp>

#ifdef TWO_THREADS
#include "../../examples/many_streams/threads.hpp"
#endif

namespace {

constexpr std::size_t steps = 100, streams = 3;

// Returns the FNV-1a hash of bytes, continued from `h`.
std::uint64_t hash(const void* data, std::size_t bytes, std::uint64_t h = 0xCBF29CE484222325u) {
  for (std::size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001B3u;
  return h;
}

struct Random {
  std::uint32_t state = 1;
  std::uint32_t bits() {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
  }
  float uniform() { return static_cast<float>(bits()) * 0x1p-23f - 1.0f; }  // from -1 to 1
};

// Fills a model without the functions of a C library, whose last bits differ.
template <class Model>
void fill(Model& model) {
  Random random;
  krait::for_each_param(model, [&](std::string_view name, auto& tensor) {
    using T = std::remove_reference_t<decltype(tensor)>;
    std::memset(static_cast<void*>(&tensor), 0, sizeof(T));
    for (std::size_t row = 0; row < T::rows; ++row)
      for (std::size_t col = 0; col < T::cols; ++col) {
        if constexpr (requires { tensor.stored(0.0f); }) tensor.values[T::offset(row,
                                                                                 col)] = -1.5f * static_cast<float>(col + 1);
        else tensor.set(row, col, (name.find("norm") == name.npos ? 0.0f : 1.0f) + 0.25f * random.uniform());
      }
  });
}

// The language model: tied, with windows of 10 tokens whose states are carried from window to window.
struct Language {
  static constexpr auto dims = krait::resolve({.vocab_size = 21, .d_model = 16, .n_layers = 2, .d_state = 5});
  using Model = krait::Mamba<dims>;
  static constexpr std::size_t window = 10;
  std::array<krait::State<Model>, streams> states{};

  float compute(const Model& model, auto& worker, std::size_t stream, std::size_t step) {
    return compute_window(model, states[stream], worker, stream, step);
  }
  template <class Any>
  static float compute_window(const Any& model, krait::State<Any>& state, auto& worker, std::size_t stream,
                              std::size_t step) {
    Random random{static_cast<std::uint32_t>(stream)};
    std::array<int, window + 1> text;
    for (std::size_t i = 0; i <= window; ++i)
      text[i] = static_cast<int>((step * window + i) * (stream + 2) % 7 + random.bits() % 3);
    krait::Tensor<float, window, Any::vocab_size> logits;
    krait::record(model, state, std::span(text).first(window), logits, worker.tape);
    const float loss = krait::cross_entropy(logits, std::span(text).last(window), logits, 0.05f);
    krait::backward(model, worker.tape, logits, worker.gradients);
    return loss;
  }
};

// The language model of Mamba-2: with an odd width of its heads, groups, and all kinds of biases.
struct Language2 : Language {
  static constexpr auto dims = krait::resolve(krait::Mamba2Dims{.vocab_size = 21, .d_model = 16, .n_layers = 2, .d_state = 5,
                                                                .d_inner = 40, .headdim = 10, .ngroups = 2, .in_bias = true,
                                                                .out_bias = true, .dt_limit = {0.05f, 2.0f}});
  using Model = krait::Mamba2<dims>;
  std::array<krait::State<Model>, streams> states{};

  float compute(const Model& model, auto& worker, std::size_t stream, std::size_t step) {
    return compute_window(model, states[stream], worker, stream, step);
  }
};

// The classifier: every kind of layer, and a frozen one.
struct Parts {
  static constexpr krait::BlockDims block{.d_model = 18, .d_state = 3, .d_inner = 20, .dt_rank = 2,
                                          .norm = krait::NormKind::layer};
  using Blocks = std::array<krait::ResidualBlock<block>, 2>;
  using InputDims = krait::LinearDims;
  KRAIT_PARAMS(Parts,
    (krait::Linear<InputDims{.d_in = 5, .d_out = 18, .bias = true}>, linear_in),
    (krait::LayerNorm<krait::NormDims{.d_model = 18, .bias = true}>, norm_in),
    (krait::Gelu<18>, gelu),
    (krait::Conv1d<krait::Conv1dDims{.channels = 18, .d_conv = 3}>, conv),
    (krait::Silu<18>, silu),
    (Blocks, layers),
    (krait::Tanh<18>, tanh),
    (krait::MeanPool<18>, mean),
    (krait::Linear<InputDims{.d_in = 18, .d_out = 4}>, classifier));
};
struct Classifier {
  using Model = krait::Stack<Parts>;
  static constexpr std::size_t window = 12;

  float compute(const Model& model, auto& worker, std::size_t stream, std::size_t step) {
    Random random{static_cast<std::uint32_t>(step * streams + stream)};
    const std::size_t label = random.bits() % 4;
    krait::Tensor<float, window, 5> series;
    for (auto& frame : series)
      for (std::size_t i = 0; i < 5; ++i) frame[i] = random.uniform() + (i == label ? 1.0f : 0.0f);
    krait::State<Model> state;
    krait::Tensor<float, 4> scores;
    krait::record(model, state, std::span(series.data(), 6 + step % 7), scores, worker.tape);
    const float loss = krait::cross_entropy(scores, label, scores);
    krait::backward(model, worker.tape, scores, worker.gradients);
    return loss;
  }
};

template <class Task, std::size_t count>
struct Memory {
  using Model = typename Task::Model;
  static inline Model model;
  static inline krait::Gradients<Model> gradients;
  static inline krait::Moments<Model> moments;
  static inline std::array<krait::Worker<Model, Task::window>, count> workers;
};

template <class Task, std::size_t count>
void train(std::string_view name, auto&& executor) {
  using M = Memory<Task, count>;
  fill(M::model);
  M::moments = {};
  Task task;
  std::uint64_t losses = 0xCBF29CE484222325u;
  float first = 0.0f, last = 0.0f;
  for (std::size_t step = 1; step <= steps; ++step) {
    std::array<float, streams> loss;
    M::gradients = {};
    krait::accumulate(streams, M::workers, M::gradients,
                      [&](auto& worker, std::size_t i) { loss[i] = task.compute(M::model, worker, i, step); }, executor);
    krait::scale_gradients(M::gradients, 1.0f / streams);
    krait::clip_by_norm(M::gradients, 0.5f);
    krait::adamw(M::model, M::gradients, M::moments, {.rate = 0.02f * krait::linear_schedule(step, 10, steps), .beta2 = 0.99f});
    losses = hash(&loss, sizeof(loss), losses);
    float sum = 0.0f;
    for (const float one : loss) sum += one;
    if (step == 1) first = sum;
    last = sum;
  }
  (firmware::Line() << name << " weights=" << firmware::hex(hash(&M::model, sizeof(M::model))) << " moments="
                    << firmware::hex(hash(&M::moments, sizeof(M::moments))) << " losses=" << firmware::hex(losses)
                    << (last < 0.8f * first ? " learns" : " DOES NOT LEARN") << " memory " << sizeof(M::workers[0])).print();
}

template <class Task>
void train_both(std::string_view name) {
  train<Task, 1>(name, krait::OneThread{});
#ifdef TWO_THREADS
  Threads two(2);
  train<Task, 2>(name, two);
#else
  train<Task, 2>(name, krait::OneThread{});
#endif
}

}  // namespace

int main() {
  (firmware::Line() << krait::target_name() << (krait::has_fma ? " fma" : "")).print();
  train_both<Language>("language");
  train_both<Language2>("language2");
  train_both<Classifier>("classifier");
  firmware::exit(0);
}
