// Measures many streams and two threads, and in the same run the machine's limits for them. Pin it to two cores with one thread
// each: taskset -c 0,1 build/bench/streams. --benchmark_filter=. also measures model M; --benchmark_out=FILE writes JSON.
//
// "streams/N" processes one token of each of N sequences, with all logits. Its limit is the slower of reading the weights and
// the states once and of the multiply-adds at the peak rate. "chunks of 16" is a prefill of 16 tokens of one sequence, with all
// logits. "2 threads" divides the layers between two threads; its limit is the same work of two threads, each at its limit.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "../examples/many_streams/threads.hpp"
#include "krait/streams.hpp"
#include "limits.hpp"
#include "start.hpp"

namespace {

using namespace limits;

constexpr std::size_t most_streams = 64;

Threads& two_threads() {
  static Threads threads{2};
  return threads;
}

template <krait::ModelDims dims>
struct Work {
  using Model = krait::Mamba<dims>;
  OnHugePages<Model> model;
  OnHugePages<std::array<krait::State<Model>, most_streams>> states;
  OnHugePages<krait::Tensor<float, most_streams, dims.vocab_size>> logits;
  std::unique_ptr<krait::StreamScratch<Model, 16>> scratch = std::make_unique<krait::StreamScratch<Model, 16>>();
  std::unique_ptr<krait::StreamScratch<Model, 128>> prefill_scratch = std::make_unique<krait::StreamScratch<Model, 128>>();
  std::vector<std::uint32_t> tokens = std::vector<std::uint32_t>(128);
  Work() {
    fill(*model.object);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::uint32_t>((7919 * i + 11) % dims.vocab_size);
  }
  static Work& get() {
    static auto work = std::make_unique<Work>();
    return *work;
  }
  auto some(std::size_t n) { return std::span(*states.object).first(n); }
  auto first_tokens(std::size_t n) const { return std::span(tokens).first(n); }
};

// Runs f(0) and f(1), on two threads if `threads` is 2.
template <class F>
void on_threads(std::size_t threads, F f) {
  if (threads == 1) return f(0);
  const auto call = [](const void* work, std::size_t part) { (*static_cast<const F*>(work))(part); };
  two_threads()(2, krait::Task{&f, call});
}

// Reads the weights, and reads and writes the states of n sequences.
template <krait::ModelDims dims>
void read_all(std::size_t n, std::size_t threads) {
  auto& work = Work<dims>::get();
  on_threads(threads, [&](std::size_t part) {
    const std::size_t size = sizeof(*work.model.object) / threads / 64 * 64;
    const std::size_t states = n * sizeof(work.states.object[0][0]) / threads;
    benchmark::DoNotOptimize(sum_of(reinterpret_cast<const char*>(work.model.object) + part * size, size));
    char* state = reinterpret_cast<char*>(work.states.object) + part * (states / 64 * 64);
    benchmark::DoNotOptimize(sum_of(state, states));
    std::memset(state, 0, states);
  });
}

// Computes the multiply-adds of n tokens, of which `heads` have logits.
template <krait::ModelDims dims>
void multiply_all(std::size_t n, std::size_t heads, std::size_t threads) {
  using Model = krait::Mamba<dims>;
  constexpr std::size_t head = Model::Head::multiply_adds, layers = Model::multiply_adds - head;
  on_threads(threads, [&](std::size_t) { multiply_adds((n * layers + heads * head) / threads / (chains * lanes)); });
}

// Measures the slower of the two limits.
template <krait::ModelDims dims>
void limit(benchmark::State& bench, std::size_t streams, std::size_t n, std::size_t heads, std::size_t threads) {
  const auto seconds = [](auto f) {
    f();
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto read = [&] { read_all<dims>(streams, threads); };
  const auto multiply = [&] { multiply_all<dims>(n, heads, threads); };
  if (seconds(read) > seconds(multiply))
    for (auto _ : bench) read();
  else
    for (auto _ : bench) multiply();
}

// Registers a benchmark and its limit, with one thread or two.
template <krait::ModelDims dims, class F>
void add_one(const std::string& name, std::size_t streams, std::size_t n, std::size_t heads, std::size_t threads, F run) {
  const std::string full = name + (threads == 2 ? " 2 threads" : "");
  benchmark::RegisterBenchmark(("limit of " + full).c_str(), [=](benchmark::State& bench) {
    limit<dims>(bench, streams, n, heads, threads);
  })->Unit(benchmark::kMicrosecond)->UseRealTime();
  benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& bench) {
    auto& work = Work<dims>::get();
    krait::OneThread one;
    for (auto _ : bench) {
      if (threads == 2) run(work, two_threads());
      else run(work, one);
    }
  })->Unit(benchmark::kMicrosecond)->UseRealTime();
}

template <krait::ModelDims dims>
void add(const std::string& model, bool threads) {
  using W = Work<dims>;
  for (const std::size_t n : {1, 2, 4, 8, 16, 32, 64})
    for (std::size_t t = 1; t <= (threads && (n == 1 || n == 16) ? 2 : 1); ++t)
      add_one<dims>(model + " streams/" + std::to_string(n), n, n, n, t, [n](W& work, auto& executor) {
        krait::step_streams(*work.model.object, work.some(n), work.first_tokens(n), *work.logits.object, *work.scratch,
                            executor);
      });
  add_one<dims>(model + " chunks of 16", 1, 16, 16, 1, [](W& work, auto&) {
    const auto logits = std::span(work.logits.object->values).first(16);
    krait::prefill(*work.model.object, (*work.states.object)[0], work.first_tokens(16), logits, work.scratch->model);
  });
  for (std::size_t t = 1; t <= (threads ? 2 : 0); ++t)
    add_one<dims>(model + " prefill/128", 1, 128, 1, t, [](W& work, auto& executor) {
      const std::array sequence{work.first_tokens(128)};
      krait::prefill_streams(*work.model.object, work.some(1), sequence, *work.logits.object, *work.prefill_scratch, executor);
    });
}

}  // namespace

int main(int argc, char** argv) {
  if (!start(argc, argv, {"--benchmark_repetitions=9", "--benchmark_min_time=0.05", "--benchmark_filter=S "})) return 2;
  add<S>("S f32", false);
  add<krait::with_storage(S, krait::Storage::bf16)>("S bf16", false);
  add<krait::with_storage(S, krait::Storage::int8)>("S int8", false);
  add<M>("M f32", true);
  add<krait::with_storage(M, krait::Storage::bf16)>("M bf16", true);
  add<krait::with_storage(M, krait::Storage::int8)>("M int8", true);
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
}
