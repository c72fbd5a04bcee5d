// Runs a reference vector: loads a model's weights from its file, runs the input through forward, prefill and step, and prints
// how far the outputs are from the expected ones. The script `check` generates the program that includes this header. The
// program has two translation units. One loads the weights and is compiled once; the other runs the model and is compiled for
// each target.
#ifndef KRAIT_TESTS_VECTOR_HPP
#define KRAIT_TESTS_VECTOR_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "krait.hpp"
#include "load_weights.hpp"

// The program's arguments: NUMBER WEIGHTS NUMBERS [NAME]...
struct Arguments {
  int number;                            // the index of the vector among those compiled into the program
  const char* weights;                   // the safetensors file
  const char* numbers;                   // a file: input (int32 or float32), then expected outputs and final state (float64)
  std::vector<std::string_view> ignore;  // names of tensors in the file that are not parameters

  Arguments(int argc, char** argv)
      : number(std::atoi(argv[1])), weights(argv[2]), numbers(argv[3]), ignore(argv + 4, argv + argc) {}
};

// Returns the largest difference, divided by the largest wanted magnitude. If the wanted number is NaN or infinite and the
// found number is another, returns infinity.
inline double relative_error(std::span<const float> found, std::span<const double> wanted) {
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double difference = std::fabs(found[i] - wanted[i]);
    if (std::isfinite(wanted[i]) ? !std::isfinite(difference)
                                 : std::isnan(wanted[i]) ? !std::isnan(found[i]) : found[i] != wanted[i])
      return std::numeric_limits<double>::infinity();
    if (!std::isfinite(wanted[i])) continue;
    error = std::max(error, difference);
    largest = std::max(largest, std::fabs(wanted[i]));
  }
  return error == 0 ? 0 : error / largest;
}

// The parts of a model's state, each in the form of the reference vector's tensor of this name, layer after layer: h
// [d_inner, d_state] or [heads, headdim, d_state] and, in Mamba-3, the angles in radians, k and x. A stack has none.
struct FinalState {
  std::array<std::vector<float>, 4> parts;
  static constexpr std::array<std::string_view, 4> names{"final_state", "final_angle", "final_k", "final_x"};
  static constexpr std::array<const char*, 4> titles{"state", "angle", "k", "x"};

  template <class S>
  void collect(const S& state) {
    auto& [h, angle, k, x] = parts;
    if constexpr (requires { state.layers; }) {
      for (const auto& layer : state.layers) collect(layer);
    } else if constexpr (requires { state.ssm_state; }) {
      collect(state.ssm_state);
    } else if constexpr (requires { state.h.extents; }) {
      for (std::size_t head = 0; head < state.h.extents[0]; ++head)
        for (std::size_t channel = 0; channel < state.h.extents[1]; ++channel)
          for (std::size_t n = 0; n < state.h.extents[2]; ++n) h.push_back(state.h.get(head, channel, n));
      if constexpr (requires { state.turns; }) {
        for (std::size_t i = 0; i < state.h.extents[0] * state.angles; ++i)
          angle.push_back(static_cast<float>(state.turns[i] * (2 * std::numbers::pi / 4294967296.0)));
        append(state.k, k);
        append(state.x, x);
      }
    } else if constexpr (requires { state.h; }) {
      append(state.h, h);
    }
  }
  template <class T>
  static void append(const T& tensor, std::vector<float>& to) {
    for (std::size_t row = 0; row < tensor.rows; ++row)
      for (std::size_t col = 0; col < tensor.cols; ++col) to.push_back(tensor.get(row, col));
  }
};

// Returns the largest difference between angles in radians, modulo 2 pi.
inline double angle_error(std::span<const float> found, std::span<const double> wanted) {
  double error = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    error = std::max(error, std::fabs(std::remainder(found[i] - wanted[i], 2 * std::numbers::pi)));
  return error;
}

inline int fail(std::string_view message) {
  std::printf("problem %.*s\n", static_cast<int>(message.size()), message.data());
  return 1;
}

// Runs one vector and prints one line for each error: its name and value. A model that pools has an output for every step, but
// only one output, the last, for forward and prefill. Large objects are allocated on the heap.
template <class Model, std::size_t length>
int run_vector(const Arguments& arguments) {
  using Input = std::conditional_t<krait::TakesTokens<Model>, std::array<std::int32_t, length>,
                                   krait::Tensor<float, length, Model::d_in>>;
  using Steps = krait::Tensor<float, length, Model::d_out>;
  using Output = std::conditional_t<krait::gives_one_row<Model>, krait::Tensor<float, Model::d_out>, Steps>;
  const auto model = std::make_unique<Model>();
  if (const std::string refused = load_weights(*model, arguments.weights, arguments.ignore); !refused.empty()) return fail(refused);

  std::ifstream stream(arguments.numbers, std::ios::binary);
  const auto input = std::make_unique<Input>();
  stream.read(reinterpret_cast<char*>(input.get()), sizeof(Input));
  std::vector<double> wanted(length * Model::d_out);
  stream.read(reinterpret_cast<char*>(wanted.data()), static_cast<std::streamsize>(wanted.size() * sizeof(double)));
  if (!stream) return fail("the file of input and expected numbers is too short");

  FinalState fresh;
  fresh.collect(krait::State<Model>{});
  std::array<std::vector<double>, 4> wanted_parts;  // empty for tensors that the file does not have
  for (std::size_t i = 0; i < 4; ++i) {
    if (std::ranges::count(arguments.ignore, FinalState::names[i]) == 0) continue;
    wanted_parts[i].resize(fresh.parts[i].size());
    stream.read(reinterpret_cast<char*>(wanted_parts[i].data()),
                static_cast<std::streamsize>(wanted_parts[i].size() * sizeof(double)));
    if (!stream) return fail("the file of input and expected numbers is too short");
  }

  std::printf("target %s\n", krait::target_name());
  const auto print = [&](const char* verb, const auto& output, const krait::State<Model>* state) {
    constexpr std::size_t count = sizeof(output) / sizeof(float);
    const float* const found = reinterpret_cast<const float*>(&output);
    std::printf("%s %.3g\n", verb, relative_error({found, count}, std::span(wanted).last(count)));
    if (!state) return;
    FinalState final;
    final.collect(*state);
    for (std::size_t i = 0; i < 4; ++i) {
      if (wanted_parts[i].empty()) continue;
      const auto error = FinalState::names[i] == "final_angle" ? angle_error : relative_error;
      std::printf("%s_%s %.3g\n", verb, FinalState::titles[i], error(final.parts[i], wanted_parts[i]));
    }
  };
  {
    const std::unique_ptr<const Output> output(new const Output(krait::forward(*model, *input)));
    print("forward", *output, nullptr);
  }
  const auto output = std::make_unique<Output>();
  const auto state = std::make_unique<krait::State<Model>>();
  const auto scratch = std::make_unique<krait::Scratch<Model, std::min(length, krait::default_chunk<Model>())>>();
  krait::prefill(*model, *state, *input, *output, *scratch);  // the chunk size of forward, so that fewer templates are compiled
  print("prefill", *output, state.get());
  const auto steps = std::make_unique<Steps>();
  *state = {};
  for (std::size_t t = 0; t < length; ++t) krait::step(*model, *state, (*input)[t], (*steps)[t]);
  print("step", *steps, state.get());
  return 0;
}

#endif
