// What the benchmarks' main functions begin with.
#ifndef KRAIT_BENCH_START_HPP
#define KRAIT_BENCH_START_HPP

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "krait.hpp"

// Reads the options; `defaults` hold where they say nothing else. Repetitions are interleaved, so that a neighbour's load
// falls on all alike. False: an option is unknown, which was said.
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
