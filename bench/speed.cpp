// Measures decode and prefill, and in the same run the machine's limits for them: the time to read the same bytes, and the
// peak rate of fused multiply-adds. Pin it to a core: taskset -c 1 build/bench/speed. --benchmark_filter=. runs everything,
// including model M and the machine's rates; --benchmark_out=FILE also writes JSON.
//
// S is a model of vocab_size 256, d_model 128, 4 layers and a tied head; M has the shape of mamba-130m. Models of Mamba-2 and
// Mamba-3 have the sizes of S, and headdim 32 and d_state 16 or 64, or the shape of mamba2-130m. Weights are random.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "krait.hpp"
#include "limits.hpp"
#include "start.hpp"

namespace {

using namespace limits;

constexpr krait::Mamba2Dims mamba2(std::size_t d_state) {
  return krait::resolve(krait::Mamba2Dims{.vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = d_state, .headdim = 32});
}
constexpr krait::Mamba3Dims mamba3(std::size_t d_state) {
  return krait::resolve(krait::Mamba3Dims{.vocab_size = 256, .d_model = 128, .n_layers = 4, .d_state = d_state, .headdim = 32});
}
constexpr auto S2 = mamba2(16), S2_64 = mamba2(64);
constexpr auto S3 = mamba3(16), S3_64 = mamba3(64);
constexpr auto M2 = krait::resolve(krait::Mamba2Dims{.vocab_size = 50280, .d_model = 768, .n_layers = 24});

template <auto dims>
struct Work {
  using Model = krait::Mamba<dims>;
  static constexpr std::size_t chunk = dims.d_model < 512 ? 64 : 128;
  OnHugePages<Model> model;
  krait::State<Model> state{};
  krait::Scratch<Model> scratch;
  std::unique_ptr<krait::Scratch<Model, chunk>> prefill_scratch = std::make_unique<krait::Scratch<Model, chunk>>();
  krait::Tensor<float, dims.vocab_size> logits;
  Work() { fill(*model.object); }
  static Work& get() {
    static auto work = std::make_unique<Work>();
    return *work;
  }
};

// Measures the bytes read per second from a working set of bench.range(0) KB.
void read_bandwidth(benchmark::State& bench) {
  static OnHugePages<std::array<std::byte, std::size_t{512} << 20>> memory;  // all zeros, because nothing is written to it
  const auto size = static_cast<std::size_t>(bench.range(0)) << 10;
  for (auto _ : bench) benchmark::DoNotOptimize(sum_of(memory.object, size));
  bench.counters["per second"] = {static_cast<double>(size), benchmark::Counter::kIsIterationInvariantRate};
}

void f32_peak(benchmark::State& bench) {
  for (auto _ : bench) multiply_adds(rounds_of_peak);
  bench.counters["per second"] = {static_cast<double>(rounds_of_peak * chains * lanes),
                                  benchmark::Counter::kIsIterationInvariantRate};
}
// Runs the instruction with which the int8 kernels sum products (four products of bytes or two of 16-bit numbers per lane) and
// returns the number of multiply-accumulates.
std::size_t int8_multiply_adds(std::size_t rounds) {
  const hn::RebindToSigned<Tag> int_tag;
  hn::Vec<decltype(int_tag)> sum[chains], more = hn::Zero(int_tag);
  KRAIT_UNROLL
  for (auto& s : sum) {
    std::int32_t start = 0;
    benchmark::DoNotOptimize(start);
    s = hn::Set(int_tag, start);
  }
#ifdef KRAIT_AVX512_VNNI
  constexpr std::size_t products = 4 * lanes;
  const auto factor = hn::Set(int_tag, 0x01020304);
  for (std::size_t i = 0; i < rounds; ++i) {
    KRAIT_UNROLL
    for (auto& s : sum) asm("vpdpbusd %1, %1, %0" : "+v"(s.raw) : "v"(factor.raw));
  }
#else
  constexpr std::size_t products = 2 * lanes;
  const auto factor = hn::Set(hn::Repartition<std::int16_t, decltype(int_tag)>{}, std::int16_t{3});
  for (std::size_t i = 0; i < rounds; ++i) {
    KRAIT_UNROLL
    for (auto& s : sum) s = hn::ReorderWidenMulAccumulate(int_tag, factor, factor, s, more);
  }
#endif
  KRAIT_UNROLL
  for (auto& s : sum) benchmark::DoNotOptimize(hn::GetLane(hn::Add(s, more)));
  return rounds * chains * products;
}
void int8_peak(benchmark::State& bench) {
  std::size_t products = 0;
  for (auto _ : bench) products = int8_multiply_adds(rounds_of_peak);
  bench.counters["per second"] = {static_cast<double>(products), benchmark::Counter::kIsIterationInvariantRate};
}

// The lower limit of a step's time: reads the model's weights and state once, and writes the state.
template <auto dims>
void limit_of_decode(benchmark::State& bench) {
  auto& work = Work<dims>::get();
  for (auto _ : bench) {
    benchmark::DoNotOptimize(sum_of(work.model.object, sizeof(*work.model.object)));
    benchmark::DoNotOptimize(sum_of(&work.state, sizeof(work.state)));
    std::memset(static_cast<void*>(&work.state), 0, sizeof(work.state));
    benchmark::ClobberMemory();
  }
}

template <auto dims>
void decode(benchmark::State& bench) {
  auto& work = Work<dims>::get();
  std::uint32_t token = 1;
  for (auto _ : bench) {
    krait::step(*work.model.object, work.state, token, work.logits, work.scratch);
    token = (token * 31 + 7) % dims.vocab_size;
  }
  bench.counters["bytes"] = sizeof(*work.model.object) + 2 * sizeof(work.state);
  bench.counters["multiply-adds"] = krait::multiply_adds_per_step<krait::Mamba<dims>>;
}

// Returns the number of multiply-adds of the linear layers of all blocks for one token.
template <class Model>
std::size_t gemm_multiply_adds(const Model& model) {
  std::size_t count = 0;
  krait::for_each_param(model, [&]<class T>(std::string_view name, const T&) {
    if (name.ends_with("proj.weight")) count += T::rows * T::cols;
  });
  return count;
}
template <auto dims>
void limit_of_prefill(benchmark::State& bench) {
  const std::size_t tokens = static_cast<std::size_t>(bench.range(0));
  const std::size_t products = tokens * gemm_multiply_adds(*Work<dims>::get().model.object);
  for (auto _ : bench) multiply_adds(products / (chains * lanes));
}

template <auto dims>
void prefill(benchmark::State& bench) {
  auto& work = Work<dims>::get();
  std::vector<std::uint32_t> tokens(static_cast<std::size_t>(bench.range(0)));
  std::uint32_t token = 1;
  for (auto& t : tokens) t = token = (token * 31 + 7) % dims.vocab_size;
  for (auto _ : bench) krait::prefill(*work.model.object, work.state, tokens, work.logits, *work.prefill_scratch);
  using Model = krait::Mamba<dims>;
  constexpr std::size_t head = Model::Head::multiply_adds;  // only the last token's logits are computed
  const std::size_t chunks = krait::ceil_div(tokens.size(), Work<dims>::chunk);
  bench.counters["bytes"] = static_cast<double>(chunks * (sizeof(Model) + 2 * sizeof(work.state)));
  bench.counters["multiply-adds"] =
      static_cast<double>(tokens.size() * (krait::multiply_adds_per_step<Model> - head) + head);
}

std::string describe(const krait::ModelDims& d) {
  return "vocab_size " + std::to_string(d.vocab_size) + ", d_model " + std::to_string(d.d_model) + ", n_layers " +
         std::to_string(d.n_layers) + ", d_state " + std::to_string(d.d_state) + ", d_conv " + std::to_string(d.d_conv) +
         ", d_inner " + std::to_string(d.d_inner) + ", dt_rank " + std::to_string(d.dt_rank);
}

template <auto dims>
void add(const std::string& model, std::initializer_list<std::int64_t> lengths) {
  const auto unit = benchmark::kMicrosecond;
  benchmark::RegisterBenchmark(("limit of " + model + " decode").c_str(), limit_of_decode<dims>)->Unit(unit);
  benchmark::RegisterBenchmark((model + " decode").c_str(), decode<dims>)->Unit(unit);
  for (const std::int64_t length : lengths) {
    benchmark::RegisterBenchmark(("limit of " + model + " prefill").c_str(), limit_of_prefill<dims>)->Arg(length)->Unit(unit);
    benchmark::RegisterBenchmark((model + " prefill").c_str(), prefill<dims>)->Arg(length)->Unit(unit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!start(argc, argv, {"--benchmark_repetitions=15", "--benchmark_min_time=0.05", "--benchmark_filter=S "})) return 2;
  benchmark::AddCustomContext("flags", FLAGS);
  benchmark::AddCustomContext("S", describe(S));
  benchmark::AddCustomContext("M", describe(M));
  for (const std::int64_t kilobytes : {32, 512, 1024, 2048, 16384, 524288})
    benchmark::RegisterBenchmark("bytes read, of KB", read_bandwidth)->Arg(kilobytes);
  benchmark::RegisterBenchmark("f32 multiply-adds", f32_peak);
  benchmark::RegisterBenchmark("int8 multiply-adds", int8_peak);
  add<S>("S f32", {128, 512});
  add<krait::with_storage(S, krait::Storage::bf16)>("S bf16", {512});
  add<krait::with_storage(S, krait::Storage::f16)>("S f16", {512});
  add<krait::with_storage(S, krait::Storage::int8)>("S int8", {512});
  add<M>("M f32", {128});
  add<krait::with_storage(M, krait::Storage::bf16)>("M bf16", {128});
  add<krait::with_storage(M, krait::Storage::int8)>("M int8", {128});
  add<S2>("Mamba-2 S d_state 16 f32", {512});
  add<krait::with_storage(S2, krait::Storage::int8)>("Mamba-2 S d_state 16 int8", {512});
  add<S2_64>("Mamba-2 S d_state 64 f32", {512});
  add<S3>("Mamba-3 S d_state 16 f32", {512});
  add<S3_64>("Mamba-3 S d_state 64 f32", {512});
  add<M2>("Mamba-2 M d_state 128 f32", {128});
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
}
