// The start of the benchmarks' main functions.
#ifndef KRAIT_BENCH_START_HPP
#define KRAIT_BENCH_START_HPP

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "krait.hpp"

// Initialises Google Benchmark with the command line's options, which override `defaults`. Repetitions are interleaved, so that
// the load of other processes affects all benchmarks alike. Returns false, after a message, if an option is unknown.
inline bool start(int argc, char** argv, std::vector<std::string> defaults) {
  defaults.insert(defaults.begin(), "--benchmark_enable_random_interleaving=true");
  std::vector<char*> arguments(argv, argv + 1);
  for (auto& option : defaults) arguments.push_back(option.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return false;
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::AddCustomContext("target", krait::target_name());
  return true;
}

#endif
