// Krait's worker of bench/training: answers the line protocol of training_protocol.py for model S.
//   krait_worker WEIGHTS THREADS
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <krait.hpp>
#include <krait/load.hpp>
#include <krait/train.hpp>

#include "../../examples/many_streams/threads.hpp"
#include "../limits.hpp"

namespace {

using Model = krait::Mamba<limits::S>;
constexpr std::size_t streams = 8, window = 256;
using Logits = krait::Tensor<float, window, Model::vocab_size>;

struct Run {
  Model model;
  krait::Gradients<Model> gradients;
  krait::Moments<Model> moments;
  std::array<krait::State<Model>, streams> states{};
  std::array<float, streams> losses{};
  std::size_t at = 0;  // tokens of each stream read so far
};

// Returns the token at a position of a stream, as training_protocol.py does.
int token(std::size_t position, std::size_t stream) {
  return static_cast<int>((7919 * (position + 1000 * stream) + 11) % Model::vocab_size);
}

// Computes the gradient of the mean loss of the next window of each stream.
void compute_gradients(Run& run, std::vector<krait::Worker<Model, window>>& workers, Threads& threads) {
  krait::clear_gradients(run.gradients);
  krait::accumulate(streams, workers, run.gradients, [&](krait::Worker<Model, window>& worker, std::size_t i) {
    static thread_local Logits logits;
    std::array<int, window + 1> ids;
    for (std::size_t t = 0; t <= window; ++t) ids[t] = token(run.at + t, i);
    krait::record(run.model, run.states[i], std::span(ids).first<window>(), logits, worker.tape);
    run.losses[i] = krait::cross_entropy(logits, std::span(ids).last<window>(), logits);
    krait::backward(run.model, worker.tape, logits, worker.gradients);
  }, threads);
  krait::scale_gradients(run.gradients, 1.0f / streams);
  run.at += window;
}

// Writes the mean loss and then the gradients, in the order of the parameters' names.
void write_gradients(const Run& run, const std::string& path) {
  std::map<std::string, std::vector<float>> all;
  krait::for_each_gradient(run.model, run.gradients, [&](std::string_view name, const auto& gradient) {
    auto& numbers = all[std::string(name)];
    for (std::size_t row = 0; row < gradient.rows; ++row)
      for (std::size_t col = 0; col < gradient.cols; ++col) numbers.push_back(gradient.get(row, col));
  });
  std::ofstream file(path, std::ios::binary);
  const auto write = [&](const float* from, std::size_t count) {
    file.write(reinterpret_cast<const char*>(from), static_cast<std::streamsize>(count * sizeof(float)));
  };
  float loss = 0.0f;
  for (const float one : run.losses) loss += one / streams;
  write(&loss, 1);
  for (const auto& [name, numbers] : all) write(numbers.data(), numbers.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "krait_worker WEIGHTS THREADS\n"), 2;
  const auto count = static_cast<std::size_t>(std::atoi(argv[2]));
  const auto run = std::make_unique<Run>();
  if (const auto status = krait::load_file(argv[1], run->model); !status.ok())
    return std::fprintf(stderr, "%s\n", status.message().c_str()), 1;
  Threads threads(count);
  std::vector<krait::Worker<Model, window>> workers(count);
  std::cout << "ready {\"version\": \"" << krait::target_name() << ", " << limits::lanes << " lanes\"}" << std::endl;
  for (std::string line, verb, argument; std::getline(std::cin, line);) {
    std::istringstream words(line);
    words >> verb >> argument;
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    if (verb == "step" || verb == "cpu") {
      for (int i = 0; i < std::atoi(argument.c_str()); ++i) {
        compute_gradients(*run, workers, threads);
        krait::clip_by_norm(run->gradients, 1.0f);
        krait::adamw(run->model, run->gradients, run->moments, {.rate = 1e-5f, .beta2 = 0.99f, .weight_decay = 0.1f});
      }
    } else if (verb == "gradients") {
      compute_gradients(*run, workers, threads);
      write_gradients(*run, argument);
    } else if (verb == "peak") {  // each thread runs as many multiply-adds as one would alone
      const auto rounds = static_cast<std::size_t>(std::atoi(argument.c_str()));
      const auto one = [&](std::size_t) { limits::multiply_adds(rounds * limits::rounds_of_peak); };
      threads(count, krait::Task{&one, [](const void* f, std::size_t i) { (*static_cast<const decltype(one)*>(f))(i); }});
    } else {
      std::cout << "no: " << verb << std::endl;
      continue;
    }
    const auto took = std::chrono::steady_clock::now() - start;
    if (verb == "cpu") std::cout << (std::clock() - cpu_start) * (1'000'000'000 / CLOCKS_PER_SEC) << std::endl;
    else std::cout << std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() << std::endl;
  }
}
