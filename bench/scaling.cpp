// Measures how the time of a token depends on the number of tokens before it, the length of a prefill, and d_model:
// taskset -c 1 build/bench/scaling --benchmark_out=FILE. bench/plot.py draws the results.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "krait.hpp"
#include "krait/init.hpp"
#include "start.hpp"

namespace {

std::vector<std::uint32_t> text(std::size_t length) {
  std::vector<std::uint32_t> tokens(length);
  for (std::size_t i = 0; i < length; ++i) tokens[i] = static_cast<std::uint32_t>((7919 * i + 11) % 256);
  return tokens;
}

template <std::size_t d_model>
struct Work {
  static constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = d_model, .n_layers = 4});
  using Model = krait::Mamba<dims>;
  std::unique_ptr<Model> model = std::make_unique<Model>();
  krait::State<Model> state{};
  krait::Scratch<Model> scratch;
  std::unique_ptr<krait::Scratch<Model, 64>> prefill_scratch = std::make_unique<krait::Scratch<Model, 64>>();
  krait::Tensor<float, dims.vocab_size> logits;

  Work() { krait::init_for_training(krait::key(0), *model); }
  static Work& get() {
    static const auto work = std::make_unique<Work>();
    return *work;
  }
  void prefill(const std::vector<std::uint32_t>& tokens) {
    krait::prefill(*model, state, tokens, logits, *prefill_scratch);
  }
  // Sets the state to that after `tokens` tokens, which is computed once and kept in `states`.
  void go_behind(std::size_t tokens) {
    const auto [found, absent] = states.try_emplace(tokens);
    if (absent) {
      state = {};
      prefill(text(tokens));
      found->second = state;
    }
    state = found->second;
  }
  std::map<std::size_t, krait::State<Model>> states;
};

// Measures a step after `position` tokens.
template <std::size_t d_model>
void decode(benchmark::State& bench, std::size_t position) {
  auto& work = Work<d_model>::get();
  work.go_behind(position);
  for (auto _ : bench) krait::step(*work.model, work.state, 1, work.logits, work.scratch);
}

// Measures a prefill of `length` tokens that computes the last token's logits.
template <std::size_t d_model>
void prefill(benchmark::State& bench, std::size_t length) {
  auto& work = Work<d_model>::get();
  const auto tokens = text(length);
  for (auto _ : bench) work.prefill(tokens);
}

template <std::size_t d_model>
void add_decode(const std::string& name, std::size_t tokens) {
  benchmark::RegisterBenchmark(("decode by " + name).c_str(), decode<d_model>, tokens)->Unit(benchmark::kMicrosecond);
}
template <std::size_t d_model>
void add(const std::string& by, std::size_t at, std::size_t tokens) {
  const std::string name = by + "/" + std::to_string(at);
  add_decode<d_model>(name, tokens);
  benchmark::RegisterBenchmark(("prefill by " + name).c_str(), prefill<d_model>, tokens)->Unit(benchmark::kMicrosecond);
}
template <std::size_t... widths>
void add_widths() {
  (add<widths>("d_model", widths, 128), ...);
}

}  // namespace

int main(int argc, char** argv) {
  if (!start(argc, argv, {"--benchmark_repetitions=9", "--benchmark_min_time=0.02"})) return 2;
  for (std::size_t tokens = 1; tokens <= 16384; tokens *= 4) add<128>("tokens", tokens, tokens);
  for (const std::size_t tokens : {65536, 1000000}) add_decode<128>("tokens/" + std::to_string(tokens), tokens);
  add_widths<32, 64, 128, 256, 512, 1024>();
  benchmark::RunSpecifiedBenchmarks();
}
