// What the benchmarks have in common: the models S and M, the machine's limits, and the table of times relative to limits.
#ifndef KRAIT_BENCH_LIMITS_HPP
#define KRAIT_BENCH_LIMITS_HPP

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "krait.hpp"

namespace limits {

namespace kernels = krait::HWY_NAMESPACE;
namespace hn = hwy::HWY_NAMESPACE;
using kernels::lanes;
using kernels::Tag;
using kernels::V;

inline constexpr auto S = krait::resolve({.vocab_size = 256, .d_model = 128, .n_layers = 4});
inline constexpr auto M = krait::resolve({.vocab_size = 50280, .d_model = 768, .n_layers = 24});

// An object on pages of its own, on huge pages if the system provides them. Used for models that are larger than the caches.
template <class T>
struct OnHugePages {
  static constexpr std::size_t page = std::size_t{2} << 20;
  static constexpr std::size_t size = (sizeof(T) + page - 1) / page * page;
  T* object = static_cast<T*>(std::aligned_alloc(page, size));
  OnHugePages() {
    madvise(object, size, MADV_HUGEPAGE);
    ::new (object) T{};
  }
  ~OnHugePages() { std::free(object); }
};

// Sets all weights to uniform random numbers. These are faster to generate than init_for_training's, and the time of a step
// does not depend on the weights.
template <class Model>
void fill(Model& model) {
  std::uint64_t seed = 0;
  krait::for_each_param(model, [&]<class T>(std::string_view, T& tensor) {
    krait::assign(tensor, [&](std::size_t row, std::size_t col) {
      const std::uint64_t i = seed + row * T::cols + col;
      return static_cast<float>(static_cast<double>(i * 2654435761u % 65536) / 65536.0 - 0.5) * 0.1f;
    });
    seed += T::rows * T::cols;
  });
}

// Reads `size` bytes once, as floats, and returns their sum.
inline float sum_of(const void* bytes, std::size_t size) {
  const float* at = static_cast<const float*>(bytes);
  V sum[8];
  KRAIT_UNROLL
  for (auto& s : sum) s = hn::Zero(Tag{});
  for (std::size_t i = 0; i + 8 * lanes <= size / sizeof(float); i += 8 * lanes) {
    KRAIT_UNROLL
    for (std::size_t v = 0; v < 8; ++v) sum[v] = hn::Add(sum[v], hn::Load(Tag{}, at + i + v * lanes));
  }
  for (std::size_t v = 1; v < 8; ++v) sum[0] = hn::Add(sum[0], sum[v]);
  return hn::GetLane(sum[0]);
}

// Runs `rounds` f32 multiply-adds in each of `chains` independent registers, to measure the machine's peak rate.
inline constexpr std::size_t chains = 12, rounds_of_peak = 4096;
inline void multiply_adds(std::size_t rounds) {
  V sum[chains];
  KRAIT_UNROLL
  for (auto& s : sum) benchmark::DoNotOptimize(s = hn::Zero(Tag{}));  // prevents that the compiler merges equal chains
  const V factor = hn::Set(Tag{}, 0.999f);
  for (std::size_t i = 0; i < rounds; ++i) {
    KRAIT_UNROLL
    for (auto& s : sum) s = kernels::mul_add(s, factor, factor);
  }
  KRAIT_UNROLL
  for (auto& s : sum) benchmark::DoNotOptimize(hn::GetLane(s));
}
// Prints two tables after the benchmarks: the machine's rates, and for each benchmark its time, its limit and its speed
// relative to f32, over all repetitions. Times are CPU times, which other processes on the same core do not lengthen.
class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const std::string name =
          run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args);
      times_[name].push_back(run.GetAdjustedCPUTime());
      const auto rate = run.counters.find("per second");
      if (rate != run.counters.end()) rates_[name].push_back(rate->second);
    }
  }
  void Finalize() override {
    for (auto* all : {&times_, &rates_})
      for (auto& [name, values] : *all) std::sort(values.begin(), values.end());
    if (!rates_.empty()) std::printf("%-24s %14s %14s\n", "G a second", "best", "median");
    for (const auto& [name, rates] : rates_)
      std::printf("%-24s %14.1f %14.1f\n", name.c_str(), rates.back() / 1e9, median(rates) / 1e9);
    std::printf("%-16s %12s %12s %12s %12s %10s %10s %10s\n", "", "limit min", "ours min", "limit med", "ours med",
                "of limit", "median", "times f32");
    for (const auto& [name, ours] : times_) {
      const auto found = times_.find("limit of " + name);
      if (found == times_.end()) continue;
      const auto& limit = found->second;
      std::printf("%-16s %9.2f us %9.2f us %9.2f us %9.2f us %8.1f %% %8.1f %%", name.c_str(), limit[0], ours[0],
                  median(limit), median(ours), 100 * limit[0] / ours[0], 100 * median(limit) / median(ours));
      const auto f32 = times_.find(in_f32(name));
      if (f32 != times_.end()) std::printf(" %10.2f", f32->second[0] / ours[0]);
      std::puts("");
    }
  }

 private:
  static double median(const std::vector<double>& sorted) { return sorted[sorted.size() / 2]; }
  static std::string in_f32(std::string name) {
    const std::size_t from = name.find(' ') + 1;
    return name.replace(from, name.find(' ', from) - from, "f32");
  }
  std::map<std::string, std::vector<double>> times_, rates_;
};

}  // namespace limits

#endif
