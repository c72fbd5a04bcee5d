// How the cost of a token grows: not at all with the tokens before it, linearly with the length of a prefill, and with the
// square of d_model. taskset -c 1 build/bench/scaling --benchmark_out=FILE; bench/plot.py draws it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "krait.hpp"
#include "krait/init.hpp"

namespace {

template <std::size_t d_model>
struct Work {
  static constexpr auto dims = krait::resolve({.vocab_size = 256, .d_model = d_model, .n_layers = 4});
  using Model = krait::Mamba<dims>;
  std::unique_ptr<Model> model = std::make_unique<Model>();
  krait::State<Model> state{};
  krait::Scratch<Model> scratch;
  std::unique_ptr<krait::Scratch<Model, 64>> prefill_scratch = std::make_unique<krait::Scratch<Model, 64>>();
  krait::Tensor<float, dims.vocab_size> logits;
  std::vector<std::uint32_t> tokens;

  explicit Work(std::size_t length) {
    krait::init_for_training(*model, krait::key(0));
    for (std::size_t i = 0; i < length; ++i) tokens.push_back(static_cast<std::uint32_t>((7919 * i + 11) % 256));
  }
  void prefill() { krait::prefill(*model, state, tokens, logits, *prefill_scratch); }
};

// A step behind range(0) tokens.
template <std::size_t d_model>
void decode(benchmark::State& bench) {
  const auto work = std::make_unique<Work<d_model>>(static_cast<std::size_t>(bench.range(0)));
  work->prefill();
  for (auto _ : bench) krait::step(*work->model, work->state, 1, work->logits, work->scratch);
  bench.counters["d_model"] = d_model;
}

// range(0) tokens at once, the last one's logits.
template <std::size_t d_model>
void prefill(benchmark::State& bench) {
  const auto work = std::make_unique<Work<d_model>>(static_cast<std::size_t>(bench.range(0)));
  for (auto _ : bench) work->prefill();
  bench.counters["d_model"] = d_model;
}

template <std::size_t d_model>
void add() {
  const auto unit = benchmark::kMicrosecond;
  benchmark::RegisterBenchmark("decode by d_model", decode<d_model>)->Arg(128)->Unit(unit);
  benchmark::RegisterBenchmark("prefill by d_model", prefill<d_model>)->Arg(128)->Unit(unit);
}

}  // namespace

int main(int argc, char** argv) {
  // Interleaved repetitions, unless told otherwise: a neighbour's load falls on all alike.
  std::vector<char*> arguments(argv, argv + 1);
  std::string defaults[] = {"--benchmark_repetitions=9", "--benchmark_enable_random_interleaving=true",
                            "--benchmark_min_time=0.02"};
  for (auto& option : defaults) arguments.push_back(option.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::AddCustomContext("target", krait::target_name());
  const auto unit = benchmark::kMicrosecond;
  auto* steps = benchmark::RegisterBenchmark("decode by position", decode<128>)->Unit(unit);
  auto* lengths = benchmark::RegisterBenchmark("prefill by length", prefill<128>)->Unit(unit);
  for (std::int64_t length = 1; length <= 16384; length *= 4) {
    steps->Arg(length);
    lengths->Arg(length);
  }
  add<32>(), add<64>(), add<128>(), add<256>(), add<512>(), add<1024>();
  benchmark::RunSpecifiedBenchmarks();
}
